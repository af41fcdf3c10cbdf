"""How a sweep's jobs reach a process: in this one, or through any Hydra launcher."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from probeta.composition.job import BASIC_LAUNCHER, run_composed
from probeta.runs.atomic import write_atomic
from probeta.runs.record import INTERRUPTED
from probeta.runs.signals import Interrupted, Signals
from probeta.sweeps.driver import END, Driver, work_for
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.progress import Hear
from probeta.sweeps.ray_cluster import connect, disable_task_retries

NOT_STARTED = "not started"

Finished = Callable[[SweepJob, JobReturn], None]


@runtime_checkable
class ComposedLauncher(Protocol):
    """A launcher that takes jobs with their configurations composed, instead of override lines.

    It must call `finished(job, job_return)` when a job is done, and leave `result.json` behind like a single run; it
    may tell `hear` how far the jobs are that run. `workers` is how many run at once. What it cannot run it may hand
    to another launcher with `job.launch_overrides`.
    """

    def launch_composed(self, jobs: Sequence[SweepJob], finished: Finished, hear: Hear) -> Sequence[JobReturn]: ...

    def workers(self) -> int: ...


@dataclass(frozen=True)
class GuardedTask:
    """The job function as workers get it: none starts after `fail_fast` stopped the sweep, and
    parallel workers compute with one thread each (more would contend for the same cores)."""

    task: TaskFunction
    stop: str
    single_thread: bool
    driver: Driver = field(default_factory=Driver.here)

    def __call__(self, config: DictConfig) -> Any:
        if Path(self.stop).exists():
            return {"status": NOT_STARTED}
        if self.single_thread:
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
                os.environ[name] = "1"
            # An import of torch would cost jobs that need none a second.
            if (torch := sys.modules.get("torch")) is not None:
                torch.set_num_threads(1)
        if self.driver.is_this_process():
            return self.task(config)
        try:
            with work_for(self.driver, self.stop):
                return self.task(config)
        except Interrupted:
            # Raised on, it would end the worker, and with it what launchers hold of the other jobs.
            return {"status": INTERRUPTED}


class InProcess:
    """One job after the other in this process, from configurations that are composed already."""

    def __init__(self, context: HydraContext, task: TaskFunction, config: DictConfig) -> None:
        self.context = context
        self.task = task
        self.config = config

    def workers(self) -> int:
        return 1

    def launch_composed(self, jobs: Sequence[SweepJob], finished: Finished, hear: Hear) -> list[JobReturn]:
        setup_globals()
        returns = []
        for job in jobs:
            try:
                answer = self._run(job)
            except Exception as error:
                # Hydra's own part of a job (making its folder, say) failed: the others still run.
                answer = JobReturn(overrides=job.overrides, status=JobStatus.FAILED)
                answer.return_value = error
            configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
            returns.append(answer)
            finished(job, answer)
        return returns

    def _run(self, job: SweepJob) -> JobReturn:
        config = job.compose()
        with read_write(config), open_dict(config):
            config.hydra.job.id = job.index
            config.hydra.job.num = job.index
            config.hydra.runtime.output_dir = str(job.path)
        return run_composed(self.context, self.task, config, job.config)


def launcher_for(context: HydraContext, task: TaskFunction, config: DictConfig, stop: Path) -> InProcess | Launcher:
    """The configured launcher, with `task` guarded; Hydra's basic one is replaced by `InProcess`."""
    from hydra.core.plugins import Plugins

    target = str(config.hydra.launcher._target_)
    kind = target.rsplit(".", 1)[-1].lower()
    workers = any(name in kind for name in ("joblib", "ray", "local"))
    guarded = GuardedTask(task, str(stop), single_thread=workers)
    if target == BASIC_LAUNCHER:
        return InProcess(context, guarded, config)
    if kind == "raylauncher":
        disable_task_retries(config)
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=guarded, config=config)


def launch_apart(launcher: Launcher, lines: Sequence[list[str]], first: int, stop: Path) -> Sequence[JobReturn]:
    """Send jobs to the workers of a launcher of Hydra's. A signal asks every job to end, as if it had reached each
    worker: `Interrupted` is raised when they have. A second one does not wait for them.
    """
    if type(launcher).__name__ == "RayLauncher":
        connect(launcher.ray_cfg.init)  # type: ignore[attr-defined]  # first: it puts handlers over ours
    over = threading.Event()
    with Signals() as signals, signals.patiently():

        def pass_on() -> None:
            while not over.wait(0.2):
                if signals.received is not None:
                    print("ending the jobs that run; a second signal does not wait for them", flush=True)
                    write_atomic(stop, END)
                    return

        thread = threading.Thread(target=pass_on, daemon=True)
        thread.start()
        try:
            return launcher.launch(lines, initial_job_idx=first)
        except Exception:
            signals.check()
            raise
        finally:
            over.set()
            thread.join()
