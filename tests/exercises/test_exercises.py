"""What holds of every exercise: its tables are those of its runs, its page says so in every language."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from probeta.exercises import commands
from probeta.exercises import exercise as module
from probeta.exercises.results import Results
from probeta.report.language import LANGUAGES, NAMES, Language
from probeta.report.summary import summarise
from probeta.runs.table import read_sweep
from tests.exercises.conftest import TINY, Exercise, runs, table


def test_every_exercise_that_ships_has_a_tiny_version() -> None:
    assert set(TINY) == set(commands())


SLOW = {5, 7, 12, 14, 16, 17, 18}
"""Of these even the tiny version takes a while."""
NUMBERS = [pytest.param(number, marks=[pytest.mark.slow] * (number in SLOW)) for number in TINY]


@pytest.mark.parametrize("number", NUMBERS)
def test_its_table_is_that_of_its_run_directories(number: int, exercise: Exercise) -> None:
    folder = exercise(number)
    results = {path.name: result for path, result, _ in runs(folder)}
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    assert rows.keys() == results.keys()
    assert {row["status"] for row in rows.values()} == {"completed"}
    for job, result in results.items():
        for metric, value in result["metrics"].items():
            if value is not None and math.isfinite(value):
                assert float(rows[job][metric]) == value
    for group in table(folder / "groups.csv"):
        own = [row for row in rows.values() if row["variant"] == group["variant"]]
        assert len(own) == int(group["jobs"])
        for metric in [name.removesuffix(" mean") for name in group if name.endswith(" mean")]:
            # A share is averaged by its counts, of which the recorded quotient is a rounding to float32.
            counts = [results[row["job"]].get("counts", {}).get(metric) for row in own if row[metric]]
            values = [float(row[metric]) for row in own if row[metric]]
            values = [v if c is None else c[0] / c[1] for v, c in zip(values, counts, strict=True)]
            assert len(values) == int(group[f"{metric} n"])
            if values:
                assert float(group[f"{metric} mean"]) == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("number", NUMBERS)
def test_its_page_answers_in_every_language(number: int, exercise: Exercise) -> None:
    folder = exercise(number)
    told = json.loads((folder / "answer.json").read_text())
    assert told["exercise"] == number
    for code in LANGUAGES:
        page = (folder / ("report.html" if code == "en" else f"report.{code}.html")).read_text()
        assert f'<html lang="{code}">' in page
        assert told[code]["sentence"]
        assert f"study=exercise_{number:02d}" in page
    sentences = {told[code]["sentence"] for code in LANGUAGES} | {told[code]["question"] for code in LANGUAGES}
    assert len(sentences) == 2 * len(LANGUAGES)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("code", LANGUAGES)
def test_it_can_be_answered_before_any_run_has_ended(number: int, code: str, exercise: Exercise) -> None:
    sweep = read_sweep(exercise(number))
    for run in sweep.runs:
        run.status, run.metrics = "not started", {}
    asked = module(number)
    answer = asked.answer(Results(summarise(sweep), Language(code, {**NAMES, **asked.NAMES})))
    assert answer.sentences
    assert not any(claim.verdict.value == "holds" for claim in answer.claims)


def test_the_index_leads_to_every_page_that_is_there(exercise: Exercise) -> None:
    folders = [exercise(number) for number in (2, 8, 9)]
    root: Path = folders[0].parent
    for code, name in (("en", "index.html"), ("es", "index.es.html")):
        index = (root / name).read_text()
        for folder in folders:
            address = f"{folder.name}/{'report.html' if code == 'en' else 'report.es.html'}"
            assert f'href="{address}"' in index
            assert (root / address).is_file()


def test_answering_imports_no_torch(exercise: Exercise) -> None:
    folders = [str(exercise(number)) for number in (1, 2, 3, 4, 6, 8, 9, 10, 11, 13)]
    code = (
        "import sys; from probeta.sweeps.report import write_report; [write_report(folder) for folder in sys.argv[1:]];"
        "print([m for m in ('torch', 'pytorch_lightning', 'pandas', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
