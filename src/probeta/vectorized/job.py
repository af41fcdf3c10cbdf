"""A run to be made as a member of an ensemble, its directory, and its record there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from probeta.composition.job import to_unresolved, write_hydra
from probeta.errors import RunDirectoryInUse
from probeta.runs.directory import RunDirectory, hold_lock
from probeta.runs.record import BUSY, COMPLETED, FAILED, describe, find_completed, new_record, write_result

State = dict[str, Any]


@dataclass
class Job:
    """A run to be made, composed."""

    path: Path
    overrides: list[str]
    config: DictConfig
    tree: dict[str, Any]
    sha256: str
    hydra: Mapping[str, Any]
    """What `.hydra/hydra.yaml` holds."""
    record: dict[str, Any] = field(default_factory=dict)
    """Its `result.json`, when it has ended."""
    kept: State | None = None
    """What the checkpoint of an ensemble holds of it."""

    @property
    def steps(self) -> float:
        """After how many it goes on; infinity where its training has ended."""
        return 0 if self.kept is None else float(self.kept["steps"])


Finished = Callable[[Job], None]


def claim(job: Job, locks: ExitStack, deadline: float, finished: Finished) -> bool:
    """Whether the job is for this process to make: its directory is ready then, and locked as long as `locks` are.

    Otherwise another process is at it (until the `deadline` of `time.monotonic`) or has completed it since the sweep
    looked: `finished` hears so.
    """
    job.path.mkdir(parents=True, exist_ok=True)
    with ExitStack() as lock:
        try:
            lock.enter_context(hold_lock(job.path, max(0.0, deadline - time.monotonic())))
        except RunDirectoryInUse:
            job.record = {**make_record(job), "status": BUSY}
        else:
            job.record = find_completed(RunDirectory(job.path), job.sha256) or {}
            if not job.record:
                locks.enter_context(lock.pop_all())
                write_hydra(job.path, to_unresolved(job.config), job.hydra, job.overrides)
                return True
    finished(job)
    return False


def make_record(job: Job) -> dict[str, Any]:
    return new_record(job.sha256, job.tree.get("seed"), list(job.overrides), "vectorized")


def end_job(job: Job, status: str, error: Exception | None) -> None:
    job.record = job.record or make_record(job)
    if job.record["status"] != COMPLETED:
        job.record["status"] = status
        job.record["error"] = None if error is None else describe(error)
    write_result(job.path, job.record)


def fail_job(job: Job, error: Exception, finished: Finished) -> None:
    end_job(job, FAILED, error)
    finished(job)
