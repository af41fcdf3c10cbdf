"""How a sweep's jobs reach a process: in this one, or through any Hydra launcher."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, env_override, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from probeta.sweeps.jobs import SweepJob

NOT_STARTED = "not started"
BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

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


def run_composed(context: HydraContext, task: TaskFunction, config: DictConfig, own: DictConfig) -> JobReturn:
    """Hydra's `run_job` for a job whose whole configuration `config` and whose part `own` for the task exist
    already: the same files and callbacks, without copying either three times."""
    singleton = HydraConfig.instance()
    before, folder = singleton.cfg, os.getcwd()
    path = Path(config.hydra.runtime.output_dir)
    singleton.set_config(config)
    hydra = cast(DictConfig, singleton.cfg)
    answer = JobReturn(overrides=list(config.hydra.overrides.task), cfg=own, hydra_cfg=hydra, working_dir=folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if config.hydra.job.chdir:
            os.chdir(path)
            answer.working_dir = str(path)
        configure_log(config.hydra.job_logging, config.hydra.verbose)
        if (kept := config.hydra.output_subdir) is not None:
            (path / kept).mkdir(exist_ok=True)
            for name, node in (("config", own), ("overrides", config.hydra.overrides.task)):
                (path / kept / f"{name}.yaml").write_text(OmegaConf.to_yaml(node), encoding="utf-8")
            # Hydra's own settings are for people to read: libyaml writes them ten times as fast.
            tree = OmegaConf.to_container(hydra, enum_to_str=True)
            text = yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
            (path / kept / "hydra.yaml").write_text(text, encoding="utf-8")
        with env_override(dict(config.hydra.job.env_set)):
            context.callbacks.on_job_start(config=config, task_function=task)
            try:
                answer.return_value = task(own)
                answer.status = JobStatus.COMPLETED
            except Exception as error:
                answer.return_value = error
                answer.status = JobStatus.FAILED
        answer.task_name = JobRuntime.instance().get("name")
        context.callbacks.on_job_end(config=config, job_return=answer)
        return answer
    finally:
        singleton.cfg = before
        os.chdir(folder)


def launcher_for(context: HydraContext, task: TaskFunction, config: DictConfig, stop: Path) -> InProcess | Launcher:
    """The configured launcher, with `task` guarded; Hydra's basic one is replaced by `InProcess`."""
    from hydra.core.plugins import Plugins

    target = str(config.hydra.launcher._target_)
    kind = target.rsplit(".", 1)[-1].lower()
    workers = any(name in kind for name in ("joblib", "ray", "local"))
    guarded = GuardedTask(task, str(stop), single_thread=workers)
    if target == BASIC:
        return InProcess(context, guarded, config)
    if "ray" in kind:
        # Ray repeats a task whose worker died three times without a word: the sweep decides that.
        OmegaConf.update(config, "hydra.launcher.ray.remote", {"max_retries": 0, "num_cpus": 1}, force_add=True)
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=guarded, config=config)
