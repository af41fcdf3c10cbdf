"""The jobs of a multirun as ensembles: grouped, cut into chunks, trained, and left as single runs leave theirs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from probeta.composition.job import unresolved, write_hydra
from probeta.config.build import build_data, build_model, double_precision
from probeta.errors import UserError
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory, locked
from probeta.runs.record import INTERRUPTED, complete, describe, new_record
from probeta.runs.signals import Interrupted, Signals
from probeta.training.fit import quiet, settings
from probeta.vectorized.chunk_size import choose_device, chunk_size
from probeta.vectorized.grouping import grouped, reason_against
from probeta.vectorized.invariant import one_thread
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.member import Member
from probeta.vectorized.processes import processes, shared_out, side_by_side
from probeta.vectorized.program import Program
from probeta.vectorized.run_directory import leave, tensorboard, write_notes, write_rows
from probeta.vectorized.tensorboard_events import events_of, write_events

log = logging.getLogger(__name__)


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


Finished = Callable[[Job], None]


def divide(jobs: Sequence[Job]) -> tuple[list[list[Job]], list[tuple[Job, str]]]:
    """The ensembles of `jobs`, and the jobs that need a process of their own, each with the reason."""
    alone: list[tuple[Job, str]] = []
    batched: list[Job] = []
    for job in jobs:
        try:
            reason = reason_against(job.tree)
        except UserError as error:
            reason = str(error)
        if reason is None and RunDirectory(job.path).last.is_file():
            reason = "it goes on from its last checkpoint"
        if reason is None:
            batched.append(job)
        else:
            alone.append((job, reason))
    return [[batched[i] for i in places] for places in grouped(job.tree for job in batched)], alone


def carry_out(
    groups: Sequence[Sequence[Job]], finished: Finished, stopped: Callable[[], bool], size: int | None = None
) -> None:
    """Train the jobs of each group, `size` at a time (measured where it is not given), and leave their results."""
    quiet()
    shares = shared_out(groups, processes())
    if len(shares) == 1:
        with Signals() as signals, one_thread():
            for group in shares[0]:
                train(group, finished, stopped, signals.check, size)
        return
    jobs = [job for group in groups for job in group]
    places = {id(job): i for i, job in enumerate(jobs)}
    log.info("%d runs as ensembles in %d processes.", len(jobs), len(shares))

    def work(share: list[list[Job]], tell: Callable[[Any], None], check: Callable[[], None]) -> None:
        for group in share:
            train(group, lambda job: tell((places[id(job)], job.record)), stopped, check, size)

    def heard(told: tuple[int, dict[str, Any]]) -> None:
        job = jobs[told[0]]
        job.record = told[1]
        finished(job)

    side_by_side(shares, work, heard)


def train(
    group: Sequence[Job], finished: Finished, stopped: Callable[[], bool], check: Callable[[], None], size: int | None
) -> None:
    """The jobs of one group (or a piece of it), in this process."""
    started = time.perf_counter()
    members = Members()
    ready: list[tuple[Job, Member]] = []
    for job in group:
        try:
            ready.append((job, members.make(job.tree)))
        except Exception as error:
            prepare(job)
            fail(job, error, finished)
    if not ready:
        return
    device = choose_device(ready[0][1].tree, [m for _, m in ready])
    program = Program()
    size = size or chunk_size([m for _, m in ready], device)
    building = (time.perf_counter() - started) / len(ready)
    for start in range(0, len(ready), size):
        if stopped():
            return
        check()
        chunk(ready[start : start + size], members, device, program, building, finished, check)


def chunk(
    runs: Sequence[tuple[Job, Member]],
    members: Members,
    device: torch.device,
    program: Program,
    building: float,
    finished: Finished,
    check: Callable[[], None],
) -> None:
    """One ensemble, from empty run directories to results."""
    started = time.perf_counter()
    with ExitStack() as stack:
        for job, _ in runs:
            prepare(job)
            stack.enter_context(locked(job.path))
        try:
            Ensemble([m for _, m in runs], device, check, program).fit()
            fitted = time.perf_counter()
            events: list[tuple[Path, list[bytes]]] = []
            for job, member in runs:
                events += settle(job, member, members, len(runs))
                check()
            write_events(events)
        except (Interrupted, KeyboardInterrupt):
            for job, _ in runs:
                end(job, INTERRUPTED, None)
            raise
        share = building + (fitted - started + time.perf_counter() - fitted) / len(runs)
        for job, _ in runs:
            job.record["duration_s"] = round(share, 4)
        # Each waits for the disk; together they wait once.
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(keep, [job for job, _ in runs]))
    for job, _ in runs:
        finished(job)


def settle(job: Job, member: Member, members: Members, size: int) -> list[tuple[Path, list[bytes]]]:
    """Everything of one run but `result.json` and its events, which are returned."""
    run = RunDirectory(job.path)
    record = job.record = blank(job)
    metrics: dict[str, float] = {}
    try:
        write_notes(member, run)
        write_rows(member, run)
        if member.error is not None:
            raise member.error
        outcome = leave(member, run, size, members.sha256(member))
        metrics = outcome.metrics
        complete(record, outcome)
        if member.tree.get("figures") == "all":
            from probeta.figures.run import draw

            draw(run.path)
    except Exception as error:
        record["error"] = describe(error)
        log.error("%s failed: %s", job.path.name, error)
    if not tensorboard(member.tree):
        return []
    return [(run.path, events_of(member.rows, settings(member.tree), metrics))]


def prepare(job: Job) -> None:
    job.path.mkdir(parents=True, exist_ok=True)
    write_hydra(job.path, unresolved(job.config), job.hydra, job.overrides)


def blank(job: Job) -> dict[str, Any]:
    return new_record(job.sha256, job.tree.get("seed"), list(job.overrides), "vectorized")


def end(job: Job, status: str, error: Exception | None) -> None:
    job.record = job.record or blank(job)
    if job.record["status"] != "completed":
        job.record["status"] = status
        job.record["error"] = None if error is None else describe(error)
    keep(job)


def keep(job: Job) -> None:
    write_atomic(job.path / "result.json", json.dumps(job.record, indent=1) + "\n")


def fail(job: Job, error: Exception, finished: Finished) -> None:
    end(job, "failed", error)
    finished(job)


class Members:
    """Builds members as single runs are built; data and orders that several share are made once."""

    def __init__(self) -> None:
        self._data: dict[str, Any] = {}
        self._loaders: dict[tuple[str, int], Any] = {}
        self._hashes: dict[int, str] = {}

    def make(self, tree: dict[str, Any]) -> Member:
        key = json.dumps([tree["data"], double_precision(tree)], sort_keys=True, default=str)
        if key not in self._data:
            self._data[key] = build_data(tree)
        data = self._data[key]
        seed = int(tree["seed"])
        if (key, seed) not in self._loaders:
            data.shuffle_seed = seed
            self._loaders[key, seed] = data.batches("train", shuffle=True)
        return Member(tree, data, self._loaders[key, seed], build_model(tree, data.spec))

    def sha256(self, member: Member) -> str:
        key = id(member.data)
        if key not in self._hashes:
            self._hashes[key] = member.data.sha256()
        return self._hashes[key]
