"""The jobs of a multirun as ensembles: grouped, cut into chunks, trained, and written as single runs are."""

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

from probeta.composition.job import to_unresolved, write_hydra
from probeta.config.build import build_data, build_model, double_precision
from probeta.errors import UserError
from probeta.runs.directory import RunDirectory, hold_lock
from probeta.runs.identity import Seeds
from probeta.runs.record import COMPLETED, FAILED, INTERRUPTED, complete_record, describe, new_record, write_result
from probeta.runs.signals import Interrupted, Signals
from probeta.training.fit import draw_figures, flatten_settings, quiet
from probeta.vectorized.chunk_size import choose_chunk_size, choose_device
from probeta.vectorized.grouping import group_trees, reason_against
from probeta.vectorized.invariant import one_thread
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.member import Member
from probeta.vectorized.processes import processes, run_in_processes, share_out
from probeta.vectorized.program import Program
from probeta.vectorized.run_directory import logs_to_tensorboard, write_notes, write_rows, write_run
from probeta.vectorized.tensorboard_events import make_events, write_events

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


def split_jobs(jobs: Sequence[Job]) -> tuple[list[list[Job]], list[tuple[Job, str]]]:
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
    return [[batched[i] for i in places] for places in group_trees(job.tree for job in batched)], alone


def train_jobs(
    groups: Sequence[Sequence[Job]], finished: Finished, stopped: Callable[[], bool], size: int | None = None
) -> None:
    """Train the jobs of each group, `size` at a time (`None`: measured), and write their results."""
    quiet()
    shares = share_out(groups, processes())
    if len(shares) == 1:
        with Signals() as signals, signals.patiently(), one_thread():
            for group in shares[0]:
                train_group(group, finished, stopped, signals.check, size)
        return
    jobs = [job for group in groups for job in group]
    places = {id(job): i for i, job in enumerate(jobs)}
    log.info("%d runs as ensembles in %d processes.", len(jobs), len(shares))

    def work(share: list[list[Job]], send: Callable[[Any], None], check: Callable[[], None]) -> None:
        for group in share:
            train_group(group, lambda job: send((places[id(job)], job.record)), stopped, check, size)

    def receive(message: tuple[int, dict[str, Any]]) -> None:
        job = jobs[message[0]]
        job.record = message[1]
        finished(job)

    run_in_processes(shares, work, receive)


def train_group(
    group: Sequence[Job], finished: Finished, stopped: Callable[[], bool], check: Callable[[], None], size: int | None
) -> None:
    """The jobs of one group (or a piece of it), in this process."""
    started = time.perf_counter()
    members = MemberBuilder()
    ready: list[tuple[Job, Member]] = []
    for job in group:
        try:
            ready.append((job, members.make(job.tree)))
        except Exception as error:
            start_directory(job)
            fail_job(job, error, finished)
    if not ready:
        return
    device = choose_device(ready[0][1].tree, [m for _, m in ready])
    program = Program()
    size = size or choose_chunk_size([m for _, m in ready], device)
    building = (time.perf_counter() - started) / len(ready)
    for start in range(0, len(ready), size):
        if stopped():
            return
        check()
        train_chunk(ready[start : start + size], members, device, program, building, finished, check)


def train_chunk(
    runs: Sequence[tuple[Job, Member]],
    members: MemberBuilder,
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
            start_directory(job)
            stack.enter_context(hold_lock(job.path))
        try:
            Ensemble([m for _, m in runs], device, check, program).fit()
            fitted = time.perf_counter()
            events: list[tuple[Path, list[bytes]]] = []
            for job, member in runs:
                events += finish_run(job, member, members, len(runs))
                check()
            write_events(events)
        except (Interrupted, KeyboardInterrupt):
            for job, _ in runs:
                end_job(job, INTERRUPTED, None)
            raise
        share = building + (fitted - started + time.perf_counter() - fitted) / len(runs)
        for job, _ in runs:
            job.record["duration_s"] = round(share, 4)
        # Each write waits for the disk; in threads they wait together.
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda job: write_result(job.path, job.record), [job for job, _ in runs]))
    for job, _ in runs:
        finished(job)


def finish_run(job: Job, member: Member, members: MemberBuilder, size: int) -> list[tuple[Path, list[bytes]]]:
    """Everything of one run but `result.json` and its events, which are returned."""
    run = RunDirectory(job.path)
    record = job.record = make_record(job)
    metrics: dict[str, float] = {}
    try:
        write_notes(member, run)
        write_rows(member, run)
        if member.error is not None:
            raise member.error
        outcome = write_run(member, run, size, members.sha256(member))
        metrics = outcome.metrics
        complete_record(record, outcome)
        if member.tree.get("figures") == "all":
            draw_figures(run.path)
    except Exception as error:
        record["error"] = describe(error)
        log.error("%s failed: %s", job.path.name, error)
    if not logs_to_tensorboard(member.tree):
        return []
    return [(run.path, make_events(member.rows, flatten_settings(member.tree), metrics))]


def start_directory(job: Job) -> None:
    job.path.mkdir(parents=True, exist_ok=True)
    write_hydra(job.path, to_unresolved(job.config), job.hydra, job.overrides)


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


class MemberBuilder:
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
        order = Seeds.of(tree).order
        if (key, order) not in self._loaders:
            self._loaders[key, order] = data.batches("train", shuffle_seed=order)
        return Member(tree, data, self._loaders[key, order], build_model(tree, data.spec))

    def sha256(self, member: Member) -> str:
        key = id(member.data)
        if key not in self._hashes:
            self._hashes[key] = member.data.sha256()
        return self._hashes[key]
