"""One sweep directory being worked on: compose, check, decide, launch, report, summarise."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from probeta.composition.composer import Composer
from probeta.config.switches import check_switches
from probeta.errors import ConfigError, RunDirectoryError, RunDirectoryInUse, TrainingDiverged, UserError
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory
from probeta.runs.reading import Damaged, read_json
from probeta.runs.record import INTERRUPTED, find_completed, headline, read_sound_result
from probeta.sweeps.checking import JobChecks
from probeta.sweeps.jobs import Action, JobPlan, SweepJob, decide, prepare
from probeta.sweeps.launchers import launcher_for
from probeta.sweeps.naming import job_name
from probeta.sweeps.progress import Progress, add_seconds
from probeta.sweeps.question import Definition, Wanted, phrase, write_definition
from probeta.sweeps.retries import Ended, Rounds, write_missing_result
from probeta.sweeps.telling import Teller
from probeta.training.inputs import Inputs

if TYPE_CHECKING:
    from probeta.report.language import Language

STOP = ".stop"


@dataclass
class Session:
    """The jobs of one sweep directory, from override lines to the summary.

    Raises `ConfigError` for switches (`retries`, `lang`, …) that it could not obey.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    directory: Path
    definition: Definition
    batch_size: int | None = None
    ended: dict[str, Ended] = field(default_factory=dict)
    busy: list[str] = field(default_factory=list)
    jobs: dict[str, SweepJob] = field(default_factory=dict)
    opened: bool = False
    unwritten: bool = False
    """Whether the disk refused the summary."""

    def __post_init__(self) -> None:
        check_switches(self.config)
        self.check = JobChecks(getattr(self.task, "check", None), bool(self.switch("rerun", False)))
        self.composer = Composer(self.context.config_loader, self.config)  # type: ignore[arg-type]
        self.config = self.config.copy()
        with read_write(self.config.hydra):  # Hydra 1.4 protects it
            self.config.hydra.sweep.dir = str(self.directory)
        # Of this process: another sweep of the same jobs goes on when this one stops.
        self.stop = self.directory / f"{STOP}.{os.getpid()}"
        self._rounds: Rounds | None = None
        self._inputs = Inputs()

    @cached_property
    def teller(self) -> Teller:
        """What is printed, in the reader's language."""
        return Teller(
            str(self.switch("lang", "en")), self.definition, Progress(self.jobs, self.ended, self.definition.metrics)
        )

    @property
    def language(self) -> Language:
        """The reader's, of what is printed and of the summary."""
        return self.teller.language

    def tell(self, message: str, **parts: Any) -> None:
        """A line in the reader's language."""
        self.teller.tell(message, **parts)

    def switch(self, name: str, default: Any) -> Any:
        value = OmegaConf.select(self.config, name, default=default)
        return default if value is None else value

    def compose(self, wanted: Sequence[Wanted]) -> list[SweepJob]:
        """The jobs, each composed once and checked; `ConfigError` names the first mistakes."""
        jobs: dict[str, SweepJob] = {}
        mistakes: dict[str, str] = {}
        for want in wanted:
            name = job_name(want.overrides)
            if name in jobs:
                continue
            label = " ".join(want.overrides)
            try:
                index = len(self.jobs) + len(jobs)
                jobs[name] = job = SweepJob(
                    index, name, self.directory, want.overrides, self.composer, want.variant or "", want.group,
                    want.absent,
                )  # fmt: skip
                self.check(job)
            except (UserError, HydraException, OmegaConfBaseException) as error:
                mistakes.setdefault(_reason(error), label)
        if mistakes:
            told = [f"{reason} (job: {label})" for reason, label in list(mistakes.items())[:3]]
            more = [f"and {len(mistakes) - 3} more"] if len(mistakes) > 3 else []
            raise ConfigError("; ".join(told + more))
        self.check.check_metrics(self.definition)
        self.jobs.update(jobs)
        return list(jobs.values())

    def carry_out(self, jobs: Sequence[SweepJob]) -> None:
        """Skip, continue, rerun or run each job; `self.ended` then holds how each ended.

        Raises `RunDirectoryError` before anything runs if a directory holds another configuration.
        """
        rerun = bool(self.switch("rerun", False))
        decisions = self._decide(jobs, rerun)
        first = not self.opened
        self.open()
        todo, earlier = [], dict[str, list[float]]()
        """Variant → the seconds that its runs took."""
        width = len(str(len(self.jobs)))
        for job, decision in zip(jobs, decisions, strict=True):
            if decision.action is Action.SKIP:
                self.ended[job.name] = Ended(job, dict(decision.result))
            elif decision.action is Action.BUSY:
                self.busy.append(job.name)
            else:
                try:
                    if decision.action is Action.RERUN and (result := read_sound_result(job.path)) is not None:
                        add_seconds(earlier, job, result)
                    prepare(job, decision)
                    todo.append(job)
                except RunDirectoryInUse as error:
                    decision = JobPlan(Action.BUSY, phrase("{error}", error=error))
                    self.busy.append(job.name)
            if decision.action is not Action.RUN:
                action, why = (self.language.tell(said) for said in (decision.action.value, decision.why))
                print(f"{'':>{2 * width + 1}} {action:<9} {job.name}: {why}", flush=True)
        if first:
            self.tell("{where}: {todo} of {n} jobs to run, {kept} completed before",
                       where=self.directory, todo=len(todo), n=len(jobs), kept=len(self.ended))  # fmt: skip
        if todo:
            self._launch(todo, earlier)
        self._look_again(jobs)

    def _look_again(self, jobs: Sequence[SweepJob]) -> None:
        """At what another process was at: it may have completed it meanwhile."""
        for job in jobs:
            if job.name in self.busy and (result := find_completed(RunDirectory(job.path), job.sha256)) is not None:
                self.busy.remove(job.name)
                self.ended[job.name] = Ended(job, result)

    def _decide(self, jobs: Sequence[SweepJob], rerun: bool) -> list[Any]:
        decisions, refused = [], []
        for job in jobs:
            try:
                found = decide(job, rerun=rerun)
                if found.action is Action.RERUN and not rerun:
                    before = read_sound_result(job.path) or {}
                    if self._accepted(before):
                        found = JobPlan(Action.SKIP, phrase("diverged before, and would again"), result=before)
                if found.action in (Action.SKIP, Action.CONTINUE):
                    recorded = found.result if found.action is Action.SKIP else None
                    self._inputs.refuse_changed(RunDirectory(job.path), job.resolved, recorded)
                decisions.append(found)
            except RunDirectoryError as error:
                refused.append(str(error))
        if refused:
            more = f" (and {len(refused) - 1} more jobs)" if len(refused) > 1 else ""
            raise RunDirectoryError(refused[0] + more)
        return decisions

    def _launch(self, jobs: Sequence[SweepJob], earlier: dict[str, list[float]]) -> None:
        if self._rounds is None:
            launcher = launcher_for(self.context, self.task, self.config, self.stop)
            self._rounds = Rounds(
                launcher=launcher,
                listener=self._listen,
                hear=self.teller.hear,
                stop=self.stop,
                retries=int(self.switch("retries", 0)),
                fail_fast=bool(self.switch("fail_fast", False)),
                batch_size=self.batch_size or default_batch(launcher),
            )
        self.teller.tell_length(jobs, earlier, self._rounds.launcher)
        with self.teller.watch(jobs):
            self.ended.update(self._rounds.run(jobs))
        self.busy += [job.name for job in jobs if job.name in self._rounds.busy and job.name not in self.ended]

    def _listen(self, ended: Ended) -> None:
        """A line as soon as a job has ended, and its record where it could leave none."""
        if ended.result.get("recorded_by") == "sweep":
            launcher = str(self.config.hydra.runtime.choices.get("hydra/launcher", "basic"))
            if not write_missing_result(ended, launcher):
                self._record_here(ended)
        self.ended[ended.job.name] = ended
        self.teller.tell_ended(ended)

    def _record_here(self, ended: Ended) -> None:
        path = self.directory / "failures.json"
        try:
            known = read_json(path, dict) or {}
        except Damaged:
            known = {}
        known[ended.job.name] = {"overrides": list(ended.job.overrides), "error": ended.error}
        with suppress(OSError):
            write_atomic(path, json.dumps(known, indent=1))

    def open(self) -> None:
        """Make the sweep's directory ready, once."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not self.opened:
                self.stop.unlink(missing_ok=True)
                (self.directory / "failures.json").unlink(missing_ok=True)
            write_definition(self.directory, self.definition, self.jobs.values())
            if not self.opened:
                write_atomic(self.directory / "multirun.yaml", OmegaConf.to_yaml(self.config))
            self.opened = True
        except OSError as error:
            raise RunDirectoryError(f"{self.directory} cannot be written: {error.strerror or error}") from None

    def close(self) -> None:
        """The summary, however the sweep ended; a table of what failed and why."""
        if not self.directory.is_dir():
            return
        self.stop.unlink(missing_ok=True)
        interrupted = [n for n, e in self.ended.items() if e.result.get("status") == INTERRUPTED]
        failed = [e for n, e in self.ended.items() if not e.completed and n not in interrupted]
        waiting = [n for n in self.jobs if n in interrupted or (n not in self.ended and n not in self.busy)]
        from probeta.sweeps.report import read_report, write_report

        started, lang = time.perf_counter(), self.language.code
        try:
            nothing_new = self._rounds is None
            written = (read_report(self.directory, lang) if nothing_new else None) or write_report(self.directory, lang)
        except OSError as error:
            self.unwritten = True
            place = error.filename or self.directory
            print(f"no summary: {place} cannot be written ({error.strerror or error})", file=sys.stderr)
        except Exception as error:  # every run is recorded, whatever cannot be said of them together
            print(
                f"no summary ({type(error).__name__}: {error}): probeta report {shlex.quote(str(self.directory))}",
                file=sys.stderr,
            )
        else:
            if getattr(self.task, "prints_report", True):
                print(written.text, flush=True)
            seconds = self.language.decimals(time.perf_counter() - started, 1)
            self.tell("summary in {page} ({seconds} s)", page=written.page, seconds=seconds)
        if failed:
            self.tell("{failed} of {n} jobs failed:", failed=len(failed), n=len(self.jobs))
            for ended in failed:
                print(f"  {ended.job.name}: {headline(ended.error)}", flush=True)
        if waiting:
            self.tell("{n} jobs are not done; the same command goes on with them", n=len(waiting))
        if self.busy:
            self.tell("{n} jobs run in another process", n=len(self.busy))

    @property
    def stopped(self) -> bool:
        """Whether `fail_fast` ended the sweep."""
        return self.stop.exists()

    @property
    def failures(self) -> int:
        return sum(not ended.completed and not self._accepted(ended.result) for ended in self.ended.values())

    def _accepted(self, result: Mapping[str, Any]) -> bool:
        """Whether a run diverged where that is a finding."""
        error = result.get("error") or {}
        return self.definition.may_diverge and error.get("type") == TrainingDiverged.__name__


def default_batch(launcher: object) -> int | None:
    """submitit starts every local job at once, however many cores there are; the others keep a queue."""
    return os.cpu_count() if type(launcher).__name__ == "LocalLauncher" else None


def _reason(error: Exception) -> str:
    """The words of a composition error, with those of its cause, in one line."""
    words = " ".join(str(error).split())
    cause = error.__cause__
    return words if cause is None or isinstance(error, UserError) else f"{words}: {' '.join(str(cause).split())}"
