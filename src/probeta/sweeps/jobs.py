"""A job of a sweep, and what is to be done with what its directory already holds."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from probeta.composition.composer import Composer
from probeta.errors import RunDirectoryError
from probeta.runs.directory import RunDirectory, hold_lock, is_locked
from probeta.runs.identity import config_sha256, select_defining
from probeta.runs.reading import Damaged
from probeta.runs.record import COMPLETED, INTERRUPTED, find_completed, headline, read_result
from probeta.sweeps.naming import quote_override
from probeta.sweeps.question import Said, phrase

KILLED = "WorkerKilled"
"""The type of the error that the sweep records for a job whose process died under it."""

GOES_ON = phrase("interrupted; goes on from its last checkpoint")
FROM_THE_START = phrase("interrupted before its first checkpoint; from the start")

_KEPT = {"attempts", ".lock", "trial.json"}
_EMPTY = _KEPT | {".hydra", "run.log"}


class Action(Enum):
    """What the sweep does with a job."""

    RUN = "run"
    SKIP = "skip"
    RERUN = "rerun"
    CONTINUE = "continue"
    BUSY = "busy"


@dataclass
class SweepJob:
    """One job: its overrides, the configuration they compose to, and the place that follows from them.

    Raises what composing raises.
    """

    index: int
    name: str
    sweep: Path
    overrides: tuple[str, ...]
    composer: Composer
    variant: str = ""
    group: str = ""
    absent: tuple[str, ...] = ()
    tries: int = 0
    """Launches that count against `retries`."""

    def __post_init__(self) -> None:
        self.resolved = self.composer.resolve(self.overrides)
        self.sha256 = config_sha256(self.resolved)

    @cached_property
    def config(self) -> DictConfig:
        """What the job function gets (no `hydra` node)."""
        return self.composer.task(self.overrides)

    def compose(self) -> DictConfig:
        """The whole configuration with its `hydra` node, for launchers that run composed jobs."""
        return self.composer(self.launch_overrides)

    @property
    def path(self) -> Path:
        return self.sweep / self.name

    @property
    def launch_overrides(self) -> list[str]:
        """What any Hydra launcher needs to run this job in its stable place."""
        return [
            *self.overrides,
            quote_override("hydra.sweep.dir", str(self.sweep)),
            quote_override("hydra.sweep.subdir", self.name),
        ]


@dataclass(frozen=True)
class JobPlan:
    action: Action
    why: Said = ""
    forced: bool = False
    """Whether to run what is completed, too."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """What a skipped job has recorded."""


def decide(job: SweepJob, *, rerun: bool = False) -> JobPlan:
    """Skip, rerun, continue or run `job`, from what its directory holds.

    Raises `RunDirectoryError`, with the difference, where the directory holds a run of another
    configuration and `rerun` is not set.
    """
    run = RunDirectory(job.path)
    if not rerun and (done := find_completed(run, job.sha256)) is not None:
        return _skip(done)
    if job.path.is_symlink():
        raise RunDirectoryError(
            f"{job.path} is a link to {job.path.resolve()}: through a link a job is read, never written"
        )
    if is_locked(job.path):
        return JobPlan(Action.BUSY, phrase("runs in another process"))
    held = {entry.name for entry in job.path.iterdir()} if job.path.is_dir() else set()
    if not held - _EMPTY:
        return JobPlan(Action.RUN)
    if rerun:
        return JobPlan(Action.RERUN, phrase("rerun=true; the earlier run is kept under attempts/"), forced=True)
    try:
        result, doubt = read_result(job.path) or {}, ""
    except Damaged as damage:
        result, doubt = {}, f"{damage}; "
    # Reading a configuration takes a hundred times as long as its recorded hash.
    if result.get("config_sha256") != job.sha256:
        try:
            refuse_changed(job, run)
        except Damaged as damage:
            return JobPlan(Action.RERUN, f"{damage}; from the start, what there is is kept under attempts/")
    error = result.get("error") or {}
    if result.get("status") == COMPLETED:
        return _skip(result)
    killed = not result or result.get("status") == INTERRUPTED or error.get("type") == KILLED
    if killed and run.last.is_file() and not _whole(run.last):
        return JobPlan(Action.RERUN, f"{run.last} is damaged: it is no checkpoint; from the start")
    if killed and run.last.is_file():
        return JobPlan(Action.CONTINUE, f"{doubt}goes on from its last checkpoint" if doubt else GOES_ON)
    if killed and result.get("launcher") == "vectorized":
        return JobPlan(
            Action.RERUN,
            phrase("interrupted; from the checkpoint of its ensemble, or the start where there is none"),
        )
    if killed:
        return JobPlan(Action.RERUN, f"{doubt}from the start" if doubt else FROM_THE_START)
    return JobPlan(Action.RERUN, phrase("failed before: {error}", error=headline(error)))


def _skip(result: Mapping[str, Any]) -> JobPlan:
    return JobPlan(
        Action.SKIP,
        phrase("completed in {seconds} s before", seconds=round(float(result.get("duration_s", 0)), 1)),
        result=result,
    )


def _whole(checkpoint: Path) -> bool:
    """Whether an archive has its end, which is looked for last when it is loaded."""
    with checkpoint.open("rb") as file:
        begin = file.read(4)
    return zipfile.is_zipfile(checkpoint) if begin.startswith(b"PK") else bool(begin.strip(b"\0"))


def refuse_changed(job: SweepJob, run: RunDirectory) -> None:
    """`RunDirectoryError` if `run` was composed from another configuration than `job`'s."""
    if not run.config.is_file():
        return
    before = run.load_config()
    if config_sha256(before) == job.sha256:
        return
    now = OmegaConf.to_container(before, resolve=True)
    assert isinstance(now, dict)
    changes = difference(_flat(now), _flat(job.resolved))
    raise RunDirectoryError(
        f"{job.path} holds a run of another configuration ({'; '.join(changes)}): "
        "rerun=true repeats it and keeps the earlier one under attempts/, name=NAME keeps them apart"
    )


def difference(before: Mapping[str, Any], after: Mapping[str, Any], most: int = 6) -> list[str]:
    """`optimizer.lr was 0.1, now 0.2` for every key that differs, the first `most` of them."""
    changes = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            changes.append(f"{key} was {before[key]}, now absent")
        elif key not in before:
            changes.append(f"{key} is new: {after[key]}")
        elif before[key] != after[key]:
            changes.append(f"{key} was {before[key]}, now {after[key]}")
    return changes[:most] + ([f"and {len(changes) - most} more"] if len(changes) > most else [])


def prepare(job: SweepJob, decision: JobPlan) -> None:
    """Make the directory ready: an earlier try goes to `attempts/`, a stale result out of the way.

    Raises `RunDirectoryInUse` where another process has begun with it since `decide` looked.
    """
    if decision.action is Action.RERUN:
        archive(job.path, unless=None if decision.forced else job.sha256)
    elif decision.action is Action.CONTINUE and (job.path / "result.json").exists():
        archive(job.path, only=("result.json",))


def archive(path: Path, only: Iterable[str] | None = None, unless: str | None = None) -> None:
    """Move what `path` holds (or `only` these entries) to `attempts/<n>/`: nothing written is lost.

    Not where it holds a completed run of the configuration `unless` (its hash): another process has made it.
    """
    with hold_lock(path):
        if unless is not None and find_completed(RunDirectory(path), unless) is not None:
            return
        entries = [e for e in path.iterdir() if e.name not in _KEPT and (only is None or e.name in only)]
        if not entries:
            return
        attempts = path / "attempts"
        attempts.mkdir(exist_ok=True)
        number = max((int(p.name) for p in attempts.iterdir() if p.name.isdigit()), default=0) + 1
        target = attempts / str(number)
        target.mkdir()
        for entry in entries:
            shutil.move(str(entry), str(target / entry.name))


def _flat(tree: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def walk(node: Any, prefix: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                walk(value, f"{prefix}.{key}" if prefix else str(key))
        else:
            found[prefix] = node

    walk(select_defining({str(key): value for key, value in tree.items()}), "")
    return found
