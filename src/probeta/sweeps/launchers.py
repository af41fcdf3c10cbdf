"""How a sweep's jobs reach a process: in this one, or through any Hydra launcher."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from probeta.composition.job import BASIC_LAUNCHER, run_composed
from probeta.sweeps.jobs import SweepJob

NOT_STARTED = "not started"

Finished = Callable[[SweepJob, JobReturn], None]


@runtime_checkable
class ComposedLauncher(Protocol):
    """A launcher that takes jobs with their configurations composed, instead of override lines.

    It must call `finished(job, job_return)` when a job is done, and leave `result.json` behind like a
    single run. What it cannot run it may hand to another launcher with `job.launch_overrides`.
    """

    def launch_composed(self, jobs: Sequence[SweepJob], finished: Finished) -> Sequence[JobReturn]: ...


@dataclass(frozen=True)
class GuardedTask:
    """The job function as workers get it: none starts after `fail_fast` stopped the sweep, and
    parallel workers compute with one thread each (more would contend for the same cores)."""

    task: TaskFunction
    stop: str
    single_thread: bool

    def __call__(self, config: DictConfig) -> Any:
        if Path(self.stop).exists():
            return {"status": NOT_STARTED}
        if self.single_thread:
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
                os.environ[name] = "1"
            # An import of torch would cost jobs that need none a second.
            if (torch := sys.modules.get("torch")) is not None:
                torch.set_num_threads(1)
        return self.task(config)


class InProcess:
    """One job after the other in this process, from configurations that are composed already."""

    def __init__(self, context: HydraContext, task: TaskFunction, config: DictConfig) -> None:
        self.context = context
        self.task = task
        self.config = config

    def launch_composed(self, jobs: Sequence[SweepJob], finished: Finished) -> list[JobReturn]:
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
    if "ray" in kind:
        # Ray repeats a task whose worker died three times without a word: the sweep decides that.
        OmegaConf.update(config, "hydra.launcher.ray.remote", {"max_retries": 0, "num_cpus": 1}, force_add=True)
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=guarded, config=config)
