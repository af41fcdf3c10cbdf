"""The page of one run says what ran, how large it is, how it scores and what it translated."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from probeta.report.language import Language
from probeta.report.single import run_tables
from probeta.runs.artifacts import join_tokens, rests_on_end
from probeta.runs.command import command
from probeta.runs.identity import config_sha256
from probeta.runs.table import read_sweep
from probeta.sweeps.report import write_report

HYDRA = """hydra:
  runtime:
    config_sources:
    - {{path: probeta.conf, schema: pkg, provider: main}}
    - {{path: {folder}, schema: file, provider: command-line}}
    choices: {{data: moons, model: mlp, scheduler: none, experiment: null}}
"""


def test_a_run_s_page_names_command_choices_size_and_scores(
    train: Callable[..., dict[str, Any]], configure: Callable[..., DictConfig], tmp_path: Path
) -> None:
    asked = ["data=moons", "model=mlp", "model.depth=3", "model.width=8", "trainer.max_epochs=2"]
    result = train(*asked)
    folder = tmp_path / "run"
    (folder / ".hydra" / "hydra.yaml").write_text(HYDRA.format(folder="/my own/conf"))
    written = write_report(folder)
    page = written.page.read_text()
    # Weights and biases, counted by hand: 2 → 8 → 8 → 8 → 2.
    assert result["parameters"] == (2 + 1) * 8 + 2 * (8 + 1) * 8 + (8 + 1) * 2
    for text in (written.text, page.split("<script")[0]):
        assert all(override in text for override in asked)
        assert "parameters" in text
        assert "186" in text
        assert "training" in text
        assert "validation" in text
    [run] = read_sweep(folder).runs
    program, kind, option, place, *overrides = shlex.split(command(run))
    assert (program, kind, option, place) == ("probeta", "train", "--config-dir", "/my own/conf")
    # What the command composes is what the page shows.
    recorded = config_sha256(configure(*overrides, "figures=none"))
    assert recorded == result["config_sha256"]


def test_a_study_s_job_is_made_by_the_command_of_its_study(tmp_path: Path) -> None:
    job = tmp_path / "regularization" / "seed=1"
    (job / ".hydra").mkdir(parents=True)
    (job / "result.json").write_text(json.dumps({"status": "completed", "overrides": ["study=x", "seed=1"]}))
    [run] = read_sweep(job).runs
    assert command(run) == ""
    (job.parent / "sweep.json").write_text(json.dumps({"command": "probeta train study=x"}))
    assert command(run) == "probeta train study=x"


def test_translations_of_training_come_first_as_running_text(tmp_path: Path) -> None:
    entry = {"source": ["<bos>", "▁a", "▁d", "og", "<eos>"], "reference": ["▁ein", "▁H", "und"], "hypothesis": ["▁ein"]}
    (tmp_path / ".hydra").mkdir()
    (tmp_path / "artifacts").mkdir()
    rows = [{**entry, "split": split} for split in ("test", *["train"] * 9)]
    (tmp_path / "artifacts" / "translations.json").write_text(json.dumps(rows))
    [table] = run_tables(read_sweep(tmp_path).runs[0], Language("es"))
    assert [row[0].text for row in table.rows] == ["entrenamiento"] * 4 + ["prueba"]
    assert [cell.text for cell in table.rows[0][1:]] == ["a dog", "ein Hund", "ein"]
    assert join_tokens(["das", "Haus", "<eos>"]) == "das Haus"


@pytest.mark.parametrize(
    ("source", "attention", "expected"),
    [
        (["a", "<eos>"], [[0.2, 0.8], [0.1, 0.9]], True),
        (["a", "<eos>"], [[0.2, 0.8], [0.6, 0.4]], False),
        (["a", "b"], [[0.2, 0.8]], False),
        (["a", "<eos>"], None, False),
        (["a", "<eos>"], [], False),
    ],
)
def test_attention_rests_on_the_end_where_every_word_looks_there_most(
    source: list[str], attention: list[list[float]] | None, expected: bool
) -> None:
    assert rests_on_end(source, attention) is expected
