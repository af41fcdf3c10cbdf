"""The exercises' answers: `exercise_<NN>.py` turns the runs of `conf/study/exercise_<NN>.yaml` into words.

Imports no torch: answers are read from run directories. A module of an exercise has

- `NAMES`: metric → what its page calls it (English; the catalogues of `probeta.report.languages` translate it);
- `derive(run)`, where it needs numbers of a run that its `result.json` does not have, from its curves and artifacts;
  they are metrics like the others in every table;
- `answer(results)`: sentences, claims, tables and charts. It must cope with runs that are not there (yet).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Protocol, cast

from probeta.exercises.results import Results
from probeta.report.answer import Answer
from probeta.report.language import Language
from probeta.report.summary import Summary
from probeta.runs.row import RunRow


def study_command(name: str) -> str:
    """The command that runs the study `name`: `probe` where it chooses one, else `train`."""
    file = files("probeta.conf") / "study" / f"{name}.yaml"
    probes = file.is_file() and re.search(r"^ *- override /probe:", file.read_text(encoding="utf-8"), re.MULTILINE)
    return "probe" if probes else "train"


def commands() -> dict[int, str]:
    """Number of each exercise → the command that runs its study."""
    names = [file.name.removesuffix(".yaml") for file in (files("probeta.conf") / "study").iterdir()]
    numbers = sorted(int(m[1]) for name in names if (m := re.fullmatch(r"exercise_(\d+)", name)))
    return {number: study_command(f"exercise_{number:02d}") for number in numbers}


class Exercise(Protocol):
    """What a module `exercise_<NN>` offers."""

    NAMES: Mapping[str, str]

    def answer(self, results: Results) -> Answer: ...


def exercise(number: int) -> Exercise:
    return cast(Exercise, importlib.import_module(f"probeta.exercises.exercise_{number:02d}"))


def answer(asked: Exercise, summary: Summary, language: Language) -> Answer:
    """The exercise's answer. It is asked for again where it made comparisons that were not known of yet: what one
    verdict takes to be more than noise depends on how many the whole page makes.
    """
    results, known = Results(summary, language), len(summary.family)
    first = asked.answer(results)
    return first if len(summary.family) == known else asked.answer(results)


def derived(asked: Exercise, run: RunRow) -> dict[str, float]:
    """What the exercise derives from a run."""
    derive: Callable[[RunRow], dict[str, float]] | None = getattr(asked, "derive", None)
    return {} if derive is None else derive(run)
