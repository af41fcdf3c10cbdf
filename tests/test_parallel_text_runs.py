"""Two files of one's own: train, load, translate, compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probeta.commands import translate
from probeta.inference.load_run import load_run
from probeta.inference.translator import load_translator
from probeta.report.compare import compare

Train = Callable[..., dict[str, Any]]

SMALL = (
    "data=parallel_text",
    "data.source=en",
    "data.target=de",
    "data.tokens=whitespace",
    "data.batch_size=16",
    "model.hidden_size=24",
    "model.encoder.embedding_size=12",
    "model.decoder.embedding_size=12",
    "optimizer.lr=0.01",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=12",
    "logger=none",
)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Word-for-word translation of numbers, 1 to 4 words a line; one pair of files."""
    root = tmp_path / "text"
    root.mkdir()
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 6, rng.integers(1, 5)).tolist() for _ in range(150)]
    for side, words in (("en", "zero one two three four five"), ("de", "null eins zwei drei vier fünf")):
        text = "".join(" ".join(words.split()[i] for i in row) + "\n" for row in rows)
        (root / f"train.{side}").write_text(text, encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return root


def test_a_run_is_evaluated_and_translates_from_any_folder(
    corpus: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = train(*SMALL, "model=seq2seq_attn", "data.root=text", into="a")
    run = tmp_path / "a"
    assert result["metrics"]["val/bleu"] > 20
    assert "tok:none" in result["signatures"]["bleu"]
    assert result["corpus"]["train"]["too_long"] == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    loaded = load_run(run)
    assert loaded.data.sha256() == result["data_sha256"]
    hypotheses = (run / "artifacts" / "hypotheses.test.txt").read_text(encoding="utf-8").splitlines()
    sources = list(loaded.data.sources("test"))
    assert load_translator(run, "cpu")(sources) == hypotheses
    Path("in.txt").write_text("\n".join(sources) + "\n", encoding="utf-8")
    translate.main([f"run={run}", "input=in.txt", "output=out.txt", "device=cpu"])
    assert Path("out.txt").read_text(encoding="utf-8").splitlines() == hypotheses
    analysis = json.loads((run / "artifacts" / "analysis.test.json").read_text())
    assert analysis["sentences"] == len(hypotheses)
    right, total = result["counts"]["test/exact_match"]
    assert (total, right / total) == (len(hypotheses), result["metrics"]["test/exact_match"])


def test_one_sentence_its_n_best_and_its_heat_map(
    corpus: Path, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(*SMALL, "model=seq2seq_attn", "data.root=text", "trainer.max_epochs=2", into="a")
    run = f"run={tmp_path / 'a'}"
    capsys.readouterr()
    translate.main([run, "text=one two", "n_best=2", "beam_size=3", "heatmap=map.svg"])
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 2
    assert float(lines[0][0]) >= float(lines[1][0])
    assert "<svg" in Path("map.svg").read_text()


@pytest.mark.slow
def test_two_models_are_compared_on_the_same_sentences(corpus: Path, train: Train, tmp_path: Path) -> None:
    plain = train(*SMALL, "model=seq2seq", "data.root=text", into="plain")
    attending = train(*SMALL, "model=seq2seq_attn", "data.root=text", into="attending")
    found = compare(tmp_path / "plain", tmp_path / "attending", samples=50)
    assert found.scores.bleu_a == pytest.approx(plain["metrics"]["test/bleu"])
    assert found.scores.bleu_b == pytest.approx(attending["metrics"]["test/bleu"])


@pytest.mark.slow
def test_averaged_weights_are_the_ones_that_are_tested_and_kept(corpus: Path, train: Train, tmp_path: Path) -> None:
    settings = (*SMALL, "model=seq2seq", "data.root=text", "callbacks.early_stopping.patience=null")
    train(*settings, "trainer.max_epochs=4", "callbacks.average.last=2", into="averaged")
    states = []
    for epochs in (3, 4):
        train(*settings, f"trainer.max_epochs={epochs}", into=f"epochs{epochs}")
        states.append(load_run(tmp_path / f"epochs{epochs}").model.state_dict())
    for name, value in load_run(tmp_path / "averaged").model.state_dict().items():
        torch.testing.assert_close(value, (states[0][name] + states[1][name]) / 2)


def test_accumulated_batches_are_one_step(corpus: Path, train: Train, tmp_path: Path) -> None:
    train(*SMALL, "model=seq2seq", "data.root=text", "trainer.max_epochs=2", "trainer.accumulate_grad_batches=3")
    checkpoint = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    batches = -(-load_run(tmp_path / "run").data.counts["train"]["pairs"] // 16)
    assert checkpoint["global_step"] == 2 * -(-batches // 3)
