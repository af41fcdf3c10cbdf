"""The jobs of a multirun as ensembles: grouped, cut into chunks, trained, and written as single runs are."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import torch

from probeta.config.build import build_data, build_model, check_last_batch, double_precision, make
from probeta.config.trust import get_trusted, sources_sha256
from probeta.errors import UserError
from probeta.loggers.tensorboard_events import make_events, write_events
from probeta.report.language import Language
from probeta.runs.artifacts import FIGURES
from probeta.runs.directory import PATIENCE, RunDirectory
from probeta.runs.identity import Seeds, flatten_settings
from probeta.runs.record import INTERRUPTED, complete_record, describe, write_result
from probeta.runs.signals import Interrupted, Signals
from probeta.training.fit import draw_figures, quiet
from probeta.vectorized.checkpoint import ChunkCheckpoint, remove_spent, restore, take_up
from probeta.vectorized.chunk_size import choose_chunk_size, choose_device
from probeta.vectorized.grouping import group_trees, reason_against
from probeta.vectorized.invariant import one_thread
from probeta.vectorized.job import Finished, Job, claim, end_job, fail_job, make_record
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.member import Member
from probeta.vectorized.processes import processes, run_in_processes, share_out
from probeta.vectorized.program import Program
from probeta.vectorized.progress import ProgressTeller, Tell
from probeta.vectorized.run_directory import logs_to_tensorboard, send_run, write_notes, write_rows, write_run

log = logging.getLogger(__name__)

Item = TypeVar("Item")


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
    groups: Sequence[Sequence[Job]],
    finished: Finished,
    tell: Tell,
    stopped: Callable[[], bool],
    size: int | None = None,
    rerun: bool = False,
    language: Language | None = None,
) -> None:
    """Train the jobs of each group, `size` at a time (`None`: measured), and write their results; `tell` hears now and
    then how far they are.

    What the checkpoint of an ensemble holds goes on from there, unless `rerun`.
    """
    quiet()
    files = take_up([job for group in groups for job in group], rerun, language)
    groups = [piece for group in groups for piece in split_by(group, lambda job: job.steps)]
    shares = share_out(groups, processes())
    if len(shares) == 1:
        with Signals() as signals, signals.patiently(), one_thread():
            for group in shares[0]:
                train_group(group, finished, tell, stopped, signals.check, size)
        remove_spent(files)
        return
    jobs = [job for group in groups for job in group]
    places = {id(job): i for i, job in enumerate(jobs)}
    log.info("%d runs as ensembles in %d processes.", len(jobs), len(shares))

    def work(share: list[list[Job]], send: Callable[[Any], None], check: Callable[[], None]) -> None:
        for group in share:
            train_group(
                group,
                lambda job: send((places[id(job)], job.record)),
                lambda states: send([(places[id(job)], epochs, values) for job, epochs, values in states]),
                stopped,
                check,
                size,
            )

    def receive(message: tuple[int, dict[str, Any]] | list[tuple[int, float, dict[str, float]]]) -> None:
        if isinstance(message, list):
            tell([(jobs[place], epochs, values) for place, epochs, values in message])
            return
        job = jobs[message[0]]
        job.record = message[1]
        finished(job)

    run_in_processes(shares, work, receive)
    remove_spent(files)


def split_by(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """Those of equal keys together."""
    pieces: dict[Hashable, list[Item]] = {}
    for item in items:
        pieces.setdefault(key(item), []).append(item)
    return list(pieces.values())


def train_group(
    group: Sequence[Job],
    finished: Finished,
    tell: Tell,
    stopped: Callable[[], bool],
    check: Callable[[], None],
    size: int | None,
) -> None:
    """The jobs of one group (or a piece of it), in this process."""
    started = time.perf_counter()
    members = MemberBuilder()
    ready: list[tuple[Job, Member]] = []
    for job in group:
        try:
            ready.append((job, members.make(job.tree)))
        except Exception as error:
            with ExitStack() as locks:
                if claim(job, locks, time.monotonic() + PATIENCE, finished):
                    fail_job(job, error, finished)
    if not ready:
        return
    device = choose_device(ready[0][1].tree, [m for _, m in ready])
    program = Program()
    size = size or choose_chunk_size([m for _, m in ready], device)
    building = (time.perf_counter() - started) / len(ready)
    members.drop_foreign(ready)
    for piece in split_by(ready, lambda run: (run[0].steps, *run[1].data.facts().get("examples", {}).values())):
        for start in range(0, len(piece), size):
            if stopped():
                return
            check()
            train_chunk(piece[start : start + size], members, device, program, building, finished, tell, check)


def train_chunk(
    runs: Sequence[tuple[Job, Member]],
    members: MemberBuilder,
    device: torch.device,
    program: Program,
    building: float,
    finished: Finished,
    tell: Tell,
    check: Callable[[], None],
) -> None:
    """One ensemble, from empty run directories to results, of those of `runs` that no other process makes."""
    started = time.perf_counter()
    with ExitStack() as locks:
        deadline, asked = time.monotonic() + PATIENCE, len(runs)
        runs = [run for run in runs if claim(run[0], locks, deadline, finished)]
        if count := asked - len(runs):
            print(f"{count} of {asked} runs are left out: another process makes them or has made them", flush=True)
        if not runs:
            return
        ensemble = make_ensemble(runs, device, program)
        checkpoint = ChunkCheckpoint([job for job, _ in runs], ensemble, [members.inputs(m) for _, m in runs], check)
        try:
            ensemble.fit(ProgressTeller([job for job, _ in runs], ensemble, tell, checkpoint.check))
            fitted = time.perf_counter()
            events: list[tuple[Path, list[bytes]]] = []
            for job, member in runs:
                events += finish_run(job, member, members, len(runs))
                checkpoint.check()
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
        checkpoint.remove()
    for job, _ in runs:
        finished(job)


def make_ensemble(runs: Sequence[tuple[Job, Member]], device: torch.device, program: Program) -> Ensemble:
    """The ensemble of `runs`, where its checkpoint left them."""
    members = [member for _, member in runs]
    ensemble = Ensemble(members, device, program)
    try:
        if states := [job.kept for job, _ in runs if job.kept is not None]:
            restore(ensemble, states)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        print(f"{len(runs)} runs begin anew: their checkpoint is not of such members ({reason})", flush=True)
        ensemble = Ensemble(members, device, program)
    return ensemble


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
        outcome = write_run(member, run, size, members.inputs(member))
        metrics = outcome.metrics
        complete_record(record, outcome)
        if formats := FIGURES[member.tree.get("figures") or "none"]:
            draw_figures(run.path, formats)
    except Exception as error:
        record["error"] = describe(error)
        log.error("%s failed: %s", job.path.name, error)
    send_run(member, run, metrics)
    if not logs_to_tensorboard(member.tree):
        return []
    return [(run.path, make_events(member.rows, flatten_settings(member.tree), metrics))]


class MemberBuilder:
    """Builds members as single runs are built; data and orders that several share are made once."""

    def __init__(self) -> None:
        self._data: dict[str, Any] = {}
        self._loaders: dict[tuple[str, int], Any] = {}
        self._hashes: dict[int, str] = {}
        self._sources: dict[tuple[str, ...], str | None] = {}

    def make(self, tree: dict[str, Any]) -> Member:
        key = json.dumps([tree["data"], double_precision(tree)], sort_keys=True, default=str)
        if key not in self._data:
            self._data[key] = build_data(tree)
        data = self._data[key]
        order = Seeds.of(tree).order
        if (key, order) not in self._loaders:
            self._loaders[key, order] = data.batches("train", shuffle_seed=order)
        loader = self._loaders[key, order]
        callbacks = tree.get("callbacks") or {}
        checkpoint = make(tree, "callbacks.checkpoint") if callbacks.get("checkpoint") else None
        minutes = math.inf if checkpoint is None else checkpoint.every_minutes
        model = build_model(tree, data.spec)
        check_last_batch(data, model)
        return Member(tree, data, loader, model, minutes)

    def inputs(self, member: Member) -> dict[str, str | None]:
        """The hashes of what the member reads, its data and the source of classes in trust, as first asked for."""
        key, trust = id(member.data), tuple(get_trusted(member.tree))
        if key not in self._hashes:
            self._hashes[key] = member.data.sha256()
        if trust not in self._sources:
            self._sources[trust] = sources_sha256(trust)
        return {"data_sha256": self._hashes[key], "sources_sha256": self._sources[trust]}

    def drop_foreign(self, runs: Sequence[tuple[Job, Member]]) -> None:
        """Where the data or sources are not those that a checkpoint was made with, begin anew."""
        kept = [(job, member) for job, member in runs if job.kept is not None]
        changed = [job for job, member in kept if (job.kept or {}).get("inputs") != self.inputs(member)]
        for job in changed:
            job.kept = None
        if changed:
            print(
                f"{len(changed)} runs begin anew: their data or classes have changed since their checkpoint", flush=True
            )
