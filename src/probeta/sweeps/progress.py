"""How far the jobs of a sweep are and how long the rest takes: as they end, as launchers tell, and as jobs log."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from probeta.metrics.direction import split_name
from probeta.runs.directory import RunDirectory
from probeta.runs.identity import identity, label_settings
from probeta.runs.record import COMPLETED
from probeta.runs.row import REPLICATES
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.naming import name_variant

if TYPE_CHECKING:
    from probeta.report.language import Language
    from probeta.sweeps.retries import Ended

TAIL = 8192
"""Bytes from the end of a job's `metrics.csv` that are looked at."""

SHOWN = ("val/acc", "val/bleu", "val/loss", "train/loss")
"""What is shown of a job that runs, the first that it logs, where the sweep is about nothing that is logged."""


class State(NamedTuple):
    """How far a job is that runs."""

    name: str
    epochs: float
    """Done, with the part of the one that goes on where that is known."""
    values: Mapping[str, float]
    """Metric → its value in the last epoch."""


Hear = Callable[[Sequence[State]], None]


@dataclass
class GroupProgress:
    """The jobs of one variant."""

    name: str
    jobs: int = 0
    done: int = 0
    failed: int = 0
    running: int = 0
    epochs: list[float] = field(default_factory=list)
    """Of those that run and tell."""
    of: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)
    left: float | None = None
    """Seconds; `None` where nothing tells."""


@dataclass
class Progress:
    """What is known of the jobs of a sweep; `jobs` and `ended` are the sweep's own, which grow.

    Args:
        metrics: what the sweep is about.
        clock: seconds that pass.
    """

    jobs: Mapping[str, SweepJob]
    ended: Mapping[str, Ended]
    metrics: Sequence[str] = ()
    clock: Callable[[], float] = time.monotonic
    launched: dict[str, SweepJob] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    began: float = 0.0
    _since: float = 0.0
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    _variants: dict[str, str] = field(default_factory=dict)

    def variant(self, job: SweepJob) -> str:
        """`name_variant`, found once for each job."""
        if job.name not in self._variants:
            self._variants[job.name] = name_variant(job.variant, job.overrides)
        return self._variants[job.name]

    def begin(self, jobs: Iterable[SweepJob]) -> None:
        """`jobs` are launched now."""
        self.launched = {job.name: job for job in jobs}
        self.states, self._seen = {}, {}
        self.began, self._since = self.clock(), time.time()

    def hear(self, states: Iterable[State]) -> None:
        """What a launcher tells of jobs that run."""
        self.states.update({state.name: state for state in states})

    def look(self) -> None:
        """Find the jobs that run by what they have written since they were launched."""
        for job in self.launched.values():
            if job.name in self.ended:
                continue
            run = RunDirectory(job.path)
            with suppress(OSError):
                if run.config.stat().st_mtime < self._since - 1:
                    continue
                self.states.setdefault(job.name, State(job.name, 0.0, {}))
                status = run.metrics.stat()
                stamp = (status.st_mtime_ns, status.st_size)
                if stamp != self._seen.get(job.name) and (state := read_state(job.name, run.metrics)) is not None:
                    self._seen[job.name] = stamp
                    self.states[job.name] = state

    def groups(self) -> list[GroupProgress]:
        """The variants in the order of their first jobs."""
        rows: dict[str, GroupProgress] = {}
        costs = self._costs()
        worked, waiting = 0.0, dict.fromkeys(costs, 0.0)
        for job in list(self.jobs.values()):
            name = self.variant(job)
            row = rows.setdefault(name, GroupProgress(name))
            row.jobs += 1
            part = 0.0
            if (ended := self.ended.get(job.name)) is not None:
                part = 1.0
                row.done += ended.completed
                row.failed += not ended.completed
            elif (state := self.states.get(job.name)) is not None:
                row.running += 1
                if length := count_epochs(job):
                    row.of = max(row.of, length)
                    part = min(1.0, state.epochs / length)
                if state.epochs:
                    row.epochs.append(state.epochs)
                for metric, value in state.values.items():
                    row.values.setdefault(metric, []).append(value)
            if job.name in self.launched:
                worked += costs[name] * part
                waiting[name] += costs[name] * (1 - part)
        pace = (self.clock() - self.began) / worked if worked else None
        for name, row in rows.items():
            row.left = None if pace is None or row.done + row.failed == row.jobs else pace * waiting[name]
        return list(rows.values())

    def labels(self) -> dict[str, str]:
        """Variant → its name, or what of its settings not all variants have."""
        settings: dict[str, dict[str, Any]] = {}
        for job in list(self.jobs.values()):
            name = self.variant(job)
            if name not in settings:
                settings[name] = {} if job.variant else identity(job.overrides)
        keys = {key for own in settings.values() for key in own} - {*REPLICATES}
        varied = {key for key in keys if len({str(own.get(key)) for own in settings.values()}) > 1}
        return {
            name: label_settings({k: v for k, v in own.items() if k in varied}) if own else name
            for name, own in settings.items()
        }

    def left(self) -> float | None:
        """Seconds until all that was launched has ended, at the pace so far; `None` where nothing tells."""
        return sum_left(self.groups())

    def _costs(self) -> dict[str, float]:
        """Variant → what a job of it costs: the mean of those that ended, or of all that did."""
        seconds: dict[str, list[float]] = {}
        for job in list(self.jobs.values()):
            own = seconds.setdefault(self.variant(job), [])
            if (ended := self.ended.get(job.name)) is not None and ended.completed:
                own.append(float(ended.result.get("duration_s") or 0))
        return spread(seconds)

    def metric(self, row: GroupProgress) -> tuple[str, float] | None:
        """Of what the jobs of `row` log the metric nearest to what the sweep is about, and its mean."""
        wanted = [m for metric in self.metrics for m in (metric, f"val/{'/'.join(split_name(metric)[1:])}")]
        name = next((name for name in (*wanted, *SHOWN) if name in row.values), None)
        return None if name is None else (name, sum(row.values[name]) / len(row.values[name]))


def sum_left(rows: Iterable[GroupProgress]) -> float | None:
    """Seconds that all `rows` take; `None` where none of them tells."""
    known = [row.left for row in rows if row.left is not None]
    return sum(known) if known else None


def spread(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The mean of each entry; of one without any that of all, and 1 where there are none at all."""
    everything = [value for values in seconds.values() for value in values if value > 0]
    rest = sum(everything) / len(everything) if everything else 1.0
    return {name: (sum(values) / len(values) if values else 0.0) or rest for name, values in seconds.items()}


def count_epochs(job: SweepJob) -> int:
    """The most epochs that the job trains; 0 where it has no end, or trains nothing."""
    trainer = job.resolved.get("trainer")
    epochs = trainer.get("max_epochs") if isinstance(trainer, Mapping) else None
    return epochs if isinstance(epochs, int) and epochs > 0 else 0


def read_state(name: str, path: Path) -> State | None:
    """The last epoch in the rows at the end of a job's `metrics.csv`; `None` where it names none (yet)."""
    with path.open("rb") as file:
        columns = next(csv.reader([file.readline().decode(errors="replace")]), [])
        file.seek(max(file.tell(), path.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").split("\n")
    epochs, values = 0, dict[str, float]()
    for cells in csv.reader(lines[:-1]):  # the last one may be half written
        row = dict(zip(columns, cells, strict=False)) if len(cells) == len(columns) else {}
        with suppress(ValueError):
            numbers = {key: float(value) for key, value in row.items() if value}
            epochs = max(epochs, int(numbers.pop("epoch", -1)) + 1)
            values |= numbers
    return State(name, float(epochs), values) if epochs else None


def add_seconds(seconds: dict[str, list[float]], job: SweepJob, result: Mapping[str, Any]) -> None:
    """Add to variant → `seconds` what a completed run of `job` took."""
    if result.get("status") == COMPLETED:
        name = name_variant(job.variant, job.overrides)
        seconds.setdefault(name, []).append(float(result.get("duration_s") or 0))


def expect(todo: Iterable[SweepJob], seconds: Mapping[str, Sequence[float]], workers: int) -> float | None:
    """Seconds that `todo` takes `workers` at once, by what earlier runs of its variants took; `None`: there are none.

    Args:
        seconds: variant → what its runs took.
    """
    names = [name_variant(job.variant, job.overrides) for job in todo]
    if not any(seconds.values()):
        return None
    costs = spread({**dict.fromkeys(names, ()), **seconds})
    return max(sum(costs[name] for name in names) / workers, max((costs[name] for name in names), default=0.0))


def count_workers(launcher: Any) -> int | None:
    """How many jobs run at once; `None` where the launcher does not say."""
    if hasattr(launcher, "workers"):
        return int(launcher.workers())
    if type(launcher).__name__ == "JoblibLauncher":
        from joblib import effective_n_jobs

        return int(effective_n_jobs(launcher.joblib.get("n_jobs", -1)))
    return None


def describe_duration(seconds: float, language: Language) -> str:
    """`40 s`, `3 min`, `1.5 h`."""
    hours = f"{language.decimals(seconds / 3600, 1)} h"
    return f"{max(1, seconds):.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 6000 else hours


def describe_time_left(seconds: float, ended: int, jobs: int, language: Language) -> str:
    """` (about 3 min left)` at the pace of `ended` of `jobs` jobs in `seconds`; empty below 10 seconds."""
    left = seconds / ended * (jobs - ended)
    if left < 10:
        return ""
    return f" ({language.say('about {time} left', time=describe_duration(left, language))})"
