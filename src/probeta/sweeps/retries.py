"""Launching jobs in rounds, so that a worker that dies takes nobody with it.

When a worker is killed, joblib loses every result of the batch, Ray raises at that job while others
still run, and submitit finishes the rest before it raises. So after each launch the run directories
say what happened: jobs that had not started are launched together again, jobs that had started but
not finished are launched one at a time. One that dies alone is what died; its neighbours used no retry.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from probeta.composition.job import get_outcome
from probeta.errors import RunDirectoryInUse
from probeta.runs.directory import is_locked
from probeta.runs.record import (
    BUSY,
    COMPLETED,
    FAILED,
    INTERRUPTED,
    describe,
    headline,
    new_record,
    read_sound_result,
    write_result,
)
from probeta.runs.signals import Interrupted
from probeta.sweeps.errors import LauncherFailed
from probeta.sweeps.jobs import KILLED, Action, JobPlan, SweepJob, decide, prepare
from probeta.sweeps.launchers import NOT_STARTED, ComposedLauncher, InProcess, launch_apart
from probeta.sweeps.progress import Hear

QUIET = 10.0
"""Seconds without any sign of life after which what a broken launcher left behind is given up."""


@dataclass
class Ended:
    """How a job ended: its `result.json`, or what is known where that could not be written."""

    job: SweepJob
    result: dict[str, Any]

    @property
    def completed(self) -> bool:
        return self.result.get("status") == COMPLETED

    @property
    def error(self) -> dict[str, Any]:
        return self.result.get("error") or {"type": str(self.result.get("status")), "message": ""}


Listener = Callable[[Ended], None]


@dataclass
class Rounds:
    """Launches jobs until each has ended; `listener` is called once for each, as soon as it has, and `hear` while some
    run."""

    launcher: Launcher | InProcess
    listener: Listener
    hear: Hear
    stop: Path
    retries: int = 0
    fail_fast: bool = False
    batch_size: int | None = None
    ended: dict[str, Ended] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    """Jobs that another process is at."""
    _launched: int = 0
    _heard: set[str] = field(default_factory=set)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def run(self, jobs: Sequence[SweepJob]) -> dict[str, Ended]:
        """Job name → how it ended. Jobs that `fail_fast` kept from starting are absent."""
        together = list(jobs)
        while together and not self._stopped():
            batch, rest = self._split(together)
            started, waiting = ([], []) if len(batch) == 1 else self._launch(batch)
            if len(batch) == 1:
                self._alone(batch[0])
            elif len(waiting) == len(batch):
                # Nothing moved: the launcher fails before any job starts. Alone, the culprit shows.
                self._refuse_launcher(batch)
                started, waiting = [job for job in batch if job.name not in self.ended], []
            for job in started:
                if not self._stopped():
                    self._alone(job)
            again = [job for job in batch if self._retry(job)]
            together = waiting + again + rest
        return self.ended

    def _split(self, jobs: list[SweepJob]) -> tuple[list[SweepJob], list[SweepJob]]:
        size = self.batch_size or len(jobs)
        return jobs[:size], jobs[size:]

    def _stopped(self) -> bool:
        return self.stop.exists()

    def _refuse_launcher(self, batch: Sequence[SweepJob]) -> None:
        """Raise `LauncherFailed` where the first and the last job of `batch` fail alone too, before they start."""
        for job in (batch[0], batch[-1]):
            before = self._raised
            _, waiting = self._launch([job])
            if not waiting or self._raised is None or type(self._raised) is not type(before):
                return
        assert self._raised is not None
        told = headline(_death(self._raised))
        raise LauncherFailed(f"the launcher fails before any job starts: {told}") from self._raised

    def _alone(self, job: SweepJob) -> None:
        """Launch `job` by itself: if it dies again, it was its own doing."""
        decision = decide(job)
        if decision.action is Action.SKIP:
            self._end(job, dict(decision.result))
            return
        try:
            if decision.action is Action.BUSY:
                raise RunDirectoryInUse(decision.why)
            prepare(job, decision)
        except RunDirectoryInUse:
            self.busy.add(job.name)
            return
        started, waiting = self._launch([job])
        if started or waiting:
            self._end(job, {"status": FAILED, "metrics": {}, "error": _death(self._raised), "recorded_by": "sweep"})

    def _retry(self, job: SweepJob) -> bool:
        ended = self.ended.get(job.name)
        if ended is None or ended.completed or job.tries >= self.retries or self._stopped():
            return False
        job.tries += 1
        del self.ended[job.name]
        self._heard.discard(job.name)
        killed = ended.error.get("type") == KILLED or ended.result.get("status") == INTERRUPTED
        prepare(job, decide(job) if killed else JobPlan(Action.RERUN))
        return True

    def _launch(self, batch: Sequence[SweepJob]) -> tuple[list[SweepJob], list[SweepJob]]:
        """Launch `batch`; return those that had started but not ended, and those that never started."""
        before = {job.name: (_stamp(job, ".hydra/overrides.yaml"), _stamp(job, "result.json")) for job in batch}
        returns: Sequence[JobReturn] = ()
        self._raised: BaseException | None = None
        watch = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(batch, before, watch), daemon=True)
        try:
            if isinstance(self.launcher, ComposedLauncher):
                self.launcher.launch_composed(batch, lambda job, back: self._returned(job, back, before), self.hear)
            else:
                watcher.start()
                lines = [job.launch_overrides for job in batch]
                returns = launch_apart(self.launcher, lines, self._launched, self.stop)
        except Interrupted:
            for job in batch:
                if (read_sound_result(job.path) or {}).get("status") == COMPLETED:
                    self._look(job, before)
            raise
        except LauncherFailed:
            raise
        except Exception as error:
            self._raised = error
            self._settle(batch, before)
        finally:
            watch.set()
            if watcher.is_alive():
                watcher.join()
        self._launched += len(batch)
        for job, answer in zip(batch, returns, strict=False):
            self._returned(job, answer, before)
        for job in batch:
            self._look(job, before)
        done = self.ended.keys() | self.busy
        left = [job for job in batch if job.name not in done and not self._stopped()]
        started = [job for job in left if _stamp(job, ".hydra/overrides.yaml") != before[job.name][0]]
        return started, [job for job in left if job not in started]

    def _returned(self, job: SweepJob, answer: JobReturn, before: dict[str, Any]) -> None:
        """What a launcher handed back counts only where the job left no `result.json`."""
        if self._look(job, before) or job.name in self.ended:
            return
        value = get_outcome(answer)
        if answer.status == JobStatus.FAILED:
            self._end(job, {"status": FAILED, "metrics": {}, "error": describe(value), "recorded_by": "sweep"})
        elif not isinstance(value, dict) or value.get("status") in (None, NOT_STARTED):
            return
        elif value["status"] == BUSY:
            self.busy.add(job.name)
        elif (found := read_sound_result(job.path)) is not None:
            self._end(job, found)  # made by another process before this one came to it
        else:
            self._end(job, {**value, "recorded_by": "sweep"})

    def _look(self, job: SweepJob, before: dict[str, Any]) -> bool:
        stamp = _stamp(job, "result.json")
        if stamp is None or stamp == before[job.name][1]:
            return False
        result = read_sound_result(job.path)
        if result is None:
            return False
        self._end(job, result)
        return True

    def _end(self, job: SweepJob, result: dict[str, Any]) -> None:
        with self._guard:
            if job.name in self._heard:
                return
            self._heard.add(job.name)
            ended = self.ended[job.name] = Ended(job, result)
            if not ended.completed and self.fail_fast and job.tries >= self.retries:
                self.stop.parent.mkdir(parents=True, exist_ok=True)
                self.stop.touch()
            self.listener(ended)

    def _watch(self, batch: Sequence[SweepJob], before: dict[str, Any], done: threading.Event) -> None:
        """Report each job when it ends, not when the whole batch has."""
        while not done.wait(0.2):
            for job in batch:
                if job.name not in self._heard:
                    self._look(job, before)

    def _settle(self, batch: Sequence[SweepJob], before: dict[str, Any]) -> None:
        """After a launcher raised, wait for the jobs that still run (Ray's do), then end its workers."""
        ray = "ray" in type(self.launcher).__name__.lower()
        quiet_since = time.monotonic()
        known = -1
        while ray or any(is_locked(job.path) for job in batch):
            ended = sum(self._look(job, before) or job.name in self.ended for job in batch)
            alive = any(is_locked(job.path) for job in batch if job.name not in self.ended)
            if alive or ended != known:
                quiet_since, known = time.monotonic(), ended
            missing = len(batch) - ended
            if (missing <= 1 and not alive) or time.monotonic() - quiet_since > QUIET:
                break
            time.sleep(0.2)
        if ray and len(batch) > 1:
            # What is still queued there must not start beside what is launched again here.
            import ray as engine

            engine.shutdown()


def _stamp(job: SweepJob, name: str) -> tuple[int, int] | None:
    """What changes whenever the file is written anew."""
    try:
        status = os.stat(job.path / name)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino


def _death(raised: BaseException | None) -> dict[str, str]:
    """What is known of a job that left nothing: the launcher's word for it, or its own exception."""
    if raised is None:
        return {"type": KILLED, "message": "its worker process died without a word", "traceback": ""}
    error = describe(raised)
    if type(raised).__module__.partition(".")[0] in ("joblib", "ray", "submitit", "concurrent"):
        signals = sorted(set(re.findall(r"\bSIG[A-Z]+\b", error["message"])))
        words = ", ".join(signals) or " ".join(error["message"].split())[:120]
        error["message"] = f"its worker process died ({error['type']}: {words}); out of memory is the usual reason"
        error["type"] = KILLED
    return error


def write_missing_result(ended: Ended, launcher: str) -> bool:
    """Write the `result.json` that a job could not write itself; `False` where the disk refuses."""
    job = ended.job
    record = new_record(job.sha256, job.resolved.get("seed"), list(job.overrides), launcher)
    record.update(status=ended.result["status"], error=ended.error)
    try:
        write_result(job.path, record)
    except OSError:
        return False
    return True
