"""Studies that stop when they know, with the small program: rounds, decisions, and what a second call finds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from probeta.commands.plugins import register_plugins
from probeta.composition.app import launch
from probeta.composition.job import Command
from probeta.errors import ConfigError
from probeta.runs.table import read_sweep
from probeta.sweeps.deciding import read_outcomes, refuse_replicates
from probeta.sweeps.errors import SweepFailed
from probeta.sweeps.report import write_report
from probeta.sweeps.retries import Ended

Sweep = Callable[..., Any]
DECIDED = ("study=widths", "++study.until=decided", "++study.max_seeds=20")


def seeds(folder: Path, variant: str) -> list[int]:
    return sorted(run.result["seed"] for run in read_sweep(folder).runs if run.variant == variant)


def test_a_clear_difference_stops_after_eight_seeds(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(*DECIDED)
    folder = tmp_path / "outputs" / "widths"
    # Eight equal differences, for by chance alone all signs are the same in one of 128 studies.
    # The study's own seeds come first, then the whole numbers that are not among them.
    assert seeds(folder, "narrow") == seeds(folder, "wide") == list(range(8))
    assert "after 8 seeds: 1 of 1 comparisons of test/loss settled" in capsys.readouterr().out


def test_variants_that_are_the_same_get_all_seeds_or_a_margin(sweep: Sweep, tmp_path: Path) -> None:
    same = "++study.variants={narrow:['model.width=2'],again:['model.width=2','steps=1']}"
    sweep(*DECIDED, same)
    assert len(seeds(tmp_path / "outputs" / "widths", "again")) == 20
    shutil.rmtree(tmp_path / "outputs")
    sweep(*DECIDED, same, "++study.equivalence_margin=0.01")
    assert len(seeds(tmp_path / "outputs" / "widths", "again")) < 20


def test_a_second_call_repeats_nothing_and_one_that_was_cut_ends_in_the_same_table(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "outputs" / "widths"
    sweep(*DECIDED)
    whole = (folder / "groups.csv").read_bytes()
    starts = len(list(folder.glob("*/starts.txt")))
    sweep(*DECIDED)
    assert (folder / "groups.csv").read_bytes() == whole
    assert sum(len(path.read_text().split()) for path in folder.glob("*/starts.txt")) == starts
    for run in sorted(folder.glob("*/result.json"))[::3]:
        shutil.rmtree(run.parent)
    sweep(*DECIDED)
    assert (folder / "groups.csv").read_bytes() == whole


def test_a_comparison_with_failed_runs_is_withheld(sweep: Sweep, tmp_path: Path) -> None:
    failing = "++study.variants={narrow:['model.width=2'],wide:['model.width=8','fault=raise']}"
    with pytest.raises(SweepFailed):
        sweep(*DECIDED, failing)
    assert len(seeds(tmp_path / "outputs" / "widths", "wide")) == 3
    assert "withheld" in (tmp_path / "outputs" / "widths" / "summary.md").read_text()


def test_a_damaged_definition_decides_nothing_and_is_named(sweep: Sweep, tmp_path: Path) -> None:
    sweep(*DECIDED)
    file = tmp_path / "outputs" / "widths" / "sweep.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "max_seeds": "many"}))
    text = write_report(file.parent).text
    assert "max_seeds is text where a number is expected" in text
    assert "Decisions" not in text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("seed=1,2", "seed is not accepted with study.until=decided"),
        ("++study.until=known", "study.until=known"),
        ("++study.max_seeds=2", "a whole number from 3"),
        ("++study.equivalence_margin=-1", "study.equivalence_margin=-1"),
        ("++study.metrics=[test/los]", "test/los"),
    ],
)
def test_mistakes_are_named(sweep: Sweep, line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        sweep(*DECIDED, line)


def test_a_key_of_the_study_that_its_file_does_not_name_may_be_said() -> None:
    register_plugins()
    command = Command("train", lambda config: None, lambda config: None)
    with pytest.raises(ConfigError, match=r"study\.untill"):
        launch(command, ["study=regularization", "study.untill=decided"])


def test_a_study_that_crosses_seeds_cannot_stop_by_them() -> None:
    with pytest.raises(ConfigError, match=r"seeds\.init is not accepted with study\.until=decided"):
        refuse_replicates([], {"seeds.init": "range(3)"})


def test_outcomes_are_the_counts_where_a_record_has_them() -> None:
    metrics = {"test/acc": 0.9708333611488342, "test/loss": 0.1}
    result = {"status": "completed", "metrics": metrics, "counts": {"test/acc": [233, 240]}}
    job: Any = SimpleNamespace(name="a", variant="wide", overrides=(), resolved={"seed": 3})
    session: Any = SimpleNamespace(ended={"a": Ended(job, result)})
    assert read_outcomes(session, [job], "test/acc") == {"wide": {3: Fraction(233, 240)}}
    assert read_outcomes(session, [job], "test/loss") == {"wide": {3: 0.1}}
