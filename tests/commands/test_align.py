"""`probeta align`: the run's own scores from files, words of several pieces, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probeta.cli import main
from probeta.inference.align import join_words, number_words
from probeta.inference.load_run import load_run

GRAMMAR = (
    "experiment=grammar_small", "trainer=cpu", "data.n_samples=200", "data.n_val=20", "data.n_test=30",
    "trainer.max_epochs=2", "logger=none", "figures=none",
)  # fmt: skip

MODELS = {
    "seq2seq_attn": ("recipe.hidden_size=16", "recipe.embedding_size=12"),
    "transformer": ("model=transformer", "model.hidden_size=16", "model.feed_forward=16", "model.heads=2"),
}


@pytest.fixture(scope="module", params=MODELS)
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A small run, and its test pairs as files of words with gold links."""
    folder = tmp_path_factory.mktemp("align")
    assert main(["train", *GRAMMAR, *MODELS[request.param], f"output_dir={folder}"]) == 0
    (run,) = folder.glob("train/*")
    data: Any = load_run(run).data
    data.setup()
    pairs = [data.gold("test", row) for row in range(30)]
    (folder / "source").write_text("".join(" ".join(pair.source) + "\n" for pair in pairs))
    (folder / "target").write_text("".join(" ".join(pair.target) + "\n" for pair in pairs))
    gold = "".join(
        " ".join(f"{s}{'-' if (s, t) in pair.sure else '?'}{t}" for s, t in pair.alignment) + "\n" for pair in pairs
    )
    (folder / "gold").write_text(gold)
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    return {"run": run, "folder": folder, "metrics": metrics, "model": request.param}


def align(files: dict[str, Any], *arguments: str, **changed: str) -> int:
    folder = files["folder"]
    named = {name: str(folder / name) for name in ("source", "target", "gold")} | changed
    return main(["align", f"run={files['run']}", *(f"{k}={v}" for k, v in named.items()), *arguments])


def test_files_give_the_scores_of_the_run(files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert align(files) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    for name, key in (("AER", "aer"), ("precision", "alignment_precision"), ("recall", "alignment_recall")):
        assert float(printed[name]) == pytest.approx(files["metrics"][f"test/{key}"], abs=6e-5), name


def test_layers_and_heads_of_a_transformer_are_told_apart(files: dict[str, Any], tmp_path: Path) -> None:
    outputs = {}
    for name, chosen in (("mean", ()), ("first", ("layer=0", "head=0")), ("second", ("layer=0", "head=1"))):
        status = align(files, *chosen, f"output={tmp_path / name}")
        if files["model"] != "transformer" and name == "second":
            assert status == 2
            return
        assert status == 0
        outputs[name] = (tmp_path / name).read_text()
    assert len(set(outputs.values())) == 3


def test_what_does_not_fit_is_refused_with_its_line(
    files: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (files["folder"] / "gold").read_text().splitlines()
    bad = tmp_path / "gold"
    for changed, told in (
        (lines[:-1], "line 30 is missing"),
        ([*lines, "0-0"], "line 31 has no pair"),
        (["0-77", *lines[1:]], "line 1: 0-77 names a word that is not there"),
    ):
        bad.write_text("\n".join(changed) + "\n")
        assert align(files, gold=str(bad)) == 2
        assert told in capsys.readouterr().err
    assert align(files, "symmetrise=intersection") == 2
    assert align(files, "head=0") == 2
    assert align(files, "layer=9") == 2


def test_a_translation_and_its_links(files: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["translate", f"run={files['run']}", "text=the dog sleeps .", f"alignment={tmp_path / 'links'}"])
    assert status == 0
    words = len(capsys.readouterr().out.split())
    links = [tuple(map(int, link.split("-"))) for link in (tmp_path / "links").read_text().split()]
    assert all(source < 4 and target < words for source, target in links)


def test_tokens_are_pieces_of_words() -> None:
    assert number_words(["books", "."], "books.").tolist() == [0, 0]
    assert number_words(["i", "don", "'t", "."], "i don't .").tolist() == [0, 1, 1, 2]
    assert number_words(["▁un", "like", "▁me"], "unlike me", "▁").tolist() == [0, 0, 1]
    assert number_words([], "").tolist() == []
    assert number_words(["others"], "words") is None


def test_words_of_several_tokens_sum_what_is_read_and_average_who_reads() -> None:
    weights = np.array([[0.1, 0.2, 0.3, 0.4, 0.0], [0.3, 0.0, 0.1, 0.5, 0.1], [0.0, 0.0, 0.0, 0.0, 1.0]])
    joined = join_words(weights, np.array([0, 0]), np.array([0, 0, 1]), 1, 2)
    np.testing.assert_allclose(joined, [[0.2, 0.3, 0.45, 0.05], [0.0, 0.0, 0.0, 1.0]])
