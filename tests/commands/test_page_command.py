"""The commands on a page, typed again in an empty folder, make the jobs that the page shows."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from probeta.cli import main
from probeta.runs.record import Outcome
from probeta.sweeps.question import attribute_jobs
from probeta.sweeps.report import write_report

FAST = ["experiment=moons_mlp", "trainer=cpu"]
COMMANDS = {
    "sweep": [["train", "-m", *FAST, "name=mine", f"seed={seeds}", "optimizer.lr=0.1,0.2"] for seeds in ("1,2", "3")],
    "study": [["train", "study=regularization", f"study.seeds={seeds}"] for seeds in ("range(1,4)", "[5]")],
    "search": [
        ["train", "-m", "hydra/sweeper=optuna", *FAST, "optimizer.lr=interval(0.01,1)", f"hydra.sweeper.n_trials={n}"]
        for n in (2, 3)
    ],
    "run": [["train", "data=moons", "model=mlp", "model.depth=3", "output_dir=out"]],
    "probe": [["probe", "probe=gradcheck", "figures=none"]],
    "exercise": [["exercise", "9", "study.seeds=[1]"]],
}


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, Sequence[str]], Path]:
    """`type_in("a", [...])` runs a command in the folder `a`, in which no run trains."""

    def train(config: Any, run: Any, signals: Any, **how: Any) -> Outcome:
        return Outcome({"val/loss": config.seed / 100, "val/acc": 0.5, "test/acc": 0.5})

    def typed(name: str, words: Sequence[str]) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["probeta", *words])
        monkeypatch.setattr("probeta.training.fit.train", train)
        assert main(list(words)) == 0
        return folder

    return typed


def shown(folder: Path) -> Path:
    """The sweep or run that the page is about."""
    sweeps = [path.parent for path in folder.rglob("sweep.json")]
    [found] = sweeps or [path.parent for path in folder.rglob("result.json")]
    return found


def made(place: Path) -> dict[str, str]:
    """Job → hash of its configuration; the single run's name is a time."""
    results = {path.parent: json.loads(path.read_text()) for path in place.rglob("result.json")}
    return {path.name if path != place else "": result["config_sha256"] for path, result in results.items()}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind == "exercise" else kind for kind in COMMANDS]
)
def test_the_commands_on_a_page_make_what_it_shows(type_in: Callable[..., Path], kind: str) -> None:
    for words in COMMANDS[kind]:
        folder = type_in("first", words)
    place = shown(folder)
    text = write_report(place).text
    block = re.search(r"## Command\n\n```\n(.*?)\n```", text, re.DOTALL)
    assert block is not None
    lines = [shlex.split(line) for line in block[1].splitlines()]
    assert len(lines) == len(COMMANDS[kind])
    for program, *words in lines:
        assert program == "probeta"
        again = type_in("second", words)
    assert made(shown(again)) == made(place)


def test_an_earlier_command_is_left_out_only_where_a_later_one_makes_all_its_jobs() -> None:
    jobs: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for asked, command, expected in (
        ("ab", "A", ["A"]),
        ("bc", "B", ["A", "B"]),
        ("ab", "A", ["A", "B"]),
        ("d", "A", ["A", "B"]),
        ("abcd", "C", ["C"]),
        ("a", "D", ["C"]),
    ):
        commands, by = attribute_jobs(before, asked, command)
        assert commands == expected
        jobs = {name: {"by": number} for name, number in by.items()}
        assert set(jobs) >= set(asked)
        before = {"commands": commands, "jobs": jobs}


def test_a_definition_of_before_has_one_command() -> None:
    before = {"command": "A", "jobs": {"a": {}, "b": {}}}
    assert attribute_jobs(before, "c", "B") == (["A", "B"], {"a": 0, "b": 0, "c": 1})
    assert attribute_jobs({"jobs": {"a": {"by": 7}}}, "c", "B") == (["B"], {"a": 0, "c": 0})
