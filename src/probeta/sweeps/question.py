"""What a sweep is asked: its name, its question, its jobs, and what checks them."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.types import TaskFunction

from probeta.composition.job import Command
from probeta.runs.atomic import write_atomic
from probeta.runs.reading import Damaged
from probeta.runs.record import versions
from probeta.runs.table import read_definition

if TYPE_CHECKING:
    from probeta.sweeps.jobs import SweepJob

Said = str | Mapping[str, Any]
"""A text, or one with parts that is put together in the reader's language: `report.language.Language.tell`."""


def phrase(text: str, **parts: Any) -> dict[str, Any]:
    """`text` with `{placeholders}`, and what fills them."""
    return {"text": text, "parts": parts}


@dataclass(frozen=True)
class Definition:
    """What a sweep asks, for its summary and its page."""

    name: str
    command: str
    question: Said = ""
    metrics: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    reference: str | None = None
    notes: tuple[Said, ...] = ()
    compare: bool = True
    """Whether variants are tested against each other: the points of a search are not."""
    title: Said = ""
    exercise: int | None = None
    """The number of the exercise that the study answers: its page gets an answer in words."""
    until: str | None = None
    """`decided`: its comparisons are those of `stats.sequential`, looked at after each round of seeds."""
    max_seeds: int | None = None
    equivalence_margin: float | None = None
    space: dict[str, str] | None = None
    """Of a search: key → its distribution as Optuna writes it in JSON. Jobs then have the number of their trial."""
    may_diverge: bool = False
    """Whether a loss that stops being a number is a finding: such a run is no failure of the sweep, nor run again."""


@dataclass(frozen=True)
class Wanted:
    """A job that is asked for: its overrides, and what its variant is called (where that has a name)."""

    overrides: tuple[str, ...]
    variant: str | None = None
    group: str = ""
    """The study's variant that it belongs to, which several points of a search share."""
    absent: tuple[str, ...] = ()
    """The seeds that a study was to vary and that change nothing in this run."""


def command_line(task: TaskFunction) -> str:
    """The command that composed the jobs of `task`, to be typed again."""
    return shlex.join(["probeta", task.name, *task.line]) if isinstance(task, Command) else ""


def attribute_jobs(before: Mapping[str, Any], jobs: Iterable[str], command: str) -> tuple[list[str], dict[str, int]]:
    """The commands that together make the jobs of a sweep's directory, and job → which of them makes it.

    `before` is the definition as it stood, and `command` asks for `jobs`. An earlier command stays only while it makes
    a job that this one does not; this one is named where it makes a job that no earlier one does.
    """
    earlier = before.get("commands") or [before.get("command") or ""]
    made: dict[str, str] = {}
    for name, entry in (before.get("jobs") or {}).items():
        number = entry.get("by", 0)
        made[name] = earlier[number] if 0 <= number < len(earlier) else ""
    asked = {*jobs, *(name for name, by in made.items() if by == command)}
    needed = {by for name, by in made.items() if by and name not in asked}
    made = {name: by if by in needed else command for name, by in made.items()} | {
        name: command for name in asked if made.get(name) not in needed
    }
    commands = [by for by in dict.fromkeys([*earlier, command]) if by in set(made.values())]
    return commands, {name: commands.index(by) for name, by in made.items()}


def write_definition(directory: Path, definition: Definition, jobs: Iterable[SweepJob]) -> None:
    """Write `sweep.json`: what the report needs to know of the sweep beyond its run directories."""
    try:
        before = read_definition(directory)
    except Damaged as damage:
        print(f"{damage}; it is written anew, from this command", file=sys.stderr)
        before = {}
    entries = {
        j.name: {"overrides": list(j.overrides), "variant": j.variant or None}
        | ({"absent": list(j.absent)} if j.absent else {})
        | ({"trial": int(j.group)} if definition.space else {})
        for j in jobs
    }
    listed: dict[str, Any] = {**(before.get("jobs") or {}), **entries}
    commands, made = attribute_jobs(before, entries, definition.command)
    document = {
        **asdict(definition),
        "command": "\n".join(commands),
        "commands": commands,
        "versions": versions(),
        "jobs": {name: {**entry, "by": made[name]} for name, entry in listed.items()},
    }
    write_atomic(directory / "sweep.json", json.dumps(document, indent=1) + "\n")
