"""The jobs of a multirun as ensembles: what Hydra's launcher hands over, and what it is given back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from probeta.composition.job import drop_hydra
from probeta.config.build import resolve_config
from probeta.report.language import Language
from probeta.runs.identity import config_sha256
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.launchers import NOT_STARTED, ComposedLauncher, GuardedTask, launch_apart, launcher_for
from probeta.sweeps.progress import Hear, State
from probeta.vectorized.job import Job
from probeta.vectorized.progress import MemberState, Tell
from probeta.vectorized.train_jobs import split_jobs, train_jobs

log = logging.getLogger(__name__)


class EnsembleLauncher:
    """Trains the jobs that differ only in seeds and numbers as ensembles, and hands the others to `fallback`.

    Args:
        fallback: the launcher (an option of `hydra/launcher`) of the jobs that cannot be members of an ensemble.
        chunk: members that train at once; `None`: measured.
        context, task, config: as Hydra sets up a launcher.
    """

    def __init__(
        self, fallback: str, chunk: int | None, context: HydraContext, task: TaskFunction, config: DictConfig
    ) -> None:
        self.fallback = fallback
        self.chunk = chunk
        self.context = context
        self.task = task
        self.command = task.task if isinstance(task, GuardedTask) else task
        self.config = config
        self.groups: dict[str, bool] = {}
        self.stop = Path(task.stop) if isinstance(task, GuardedTask) else None

    # --- Hydra's own way: override lines -------------------------------------------------------------

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        jobs = []
        for i, overrides in enumerate(job_overrides):
            config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
            with open_dict(config):
                config.hydra.job.id = config.hydra.job.num = initial_job_idx + i
                path = Path(str(config.hydra.sweep.dir)) / str(config.hydra.sweep.subdir)
                config.hydra.runtime.output_dir = str(path.absolute())
            task = [str(line) for line in config.hydra.overrides.task]
            jobs.append(make_job(path, task, config, read_hydra(config)))
        places = {id(job): i for i, job in enumerate(jobs)}
        returns: dict[int, JobReturn] = {}
        alone = self.vectorize(jobs, lambda job: returns.update({places[id(job)]: make_return(job)}))
        if alone:
            rest = [places[id(job)] for job in alone]
            lines = [list(job_overrides[i]) for i in rest]
            returns.update(zip(rest, self.make_fallback().launch(lines, initial_job_idx=initial_job_idx), strict=True))
        return [returns.get(i) or make_unstarted(overrides) for i, overrides in enumerate(job_overrides)]

    # --- our sweeper's way: composed jobs ------------------------------------------------------------

    def launch_composed(
        self, jobs: Sequence[SweepJob], finished: Callable[[SweepJob, JobReturn], None], hear: Hear
    ) -> list[JobReturn]:
        """As `probeta.sweeps.launchers.ComposedLauncher` asks for."""
        composed = self.compose_jobs(jobs)
        places = {id(job): sweep_job for job, sweep_job in zip(composed, jobs, strict=True)}
        returns: dict[str, JobReturn] = {}

        def done(job: Job) -> None:
            sweep_job = places[id(job)]
            returns[sweep_job.name] = make_return(job)
            finished(sweep_job, returns[sweep_job.name])

        def tell(states: Sequence[MemberState]) -> None:
            hear([State(places[id(job)].name, epochs, values) for job, epochs, values in states])

        alone = [places[id(job)] for job in self.vectorize(composed, done, tell)]
        if alone and not self.stopped():
            self.hand_over(alone, finished, hear, returns)
        return [returns[job.name] for job in jobs if job.name in returns]

    def hand_over(
        self,
        jobs: Sequence[SweepJob],
        finished: Callable[[SweepJob, JobReturn], None],
        hear: Hear,
        returns: dict[str, JobReturn],
    ) -> None:
        fallback = self.make_fallback()

        def note(job: SweepJob, back: JobReturn) -> None:
            returns[job.name] = back
            finished(job, back)

        if isinstance(fallback, ComposedLauncher):
            fallback.launch_composed(jobs, note, hear)
            return
        lines = [job.launch_overrides for job in jobs]
        if self.stop is None:
            returned = fallback.launch(lines, initial_job_idx=0)
        else:
            returned = launch_apart(fallback, lines, 0, self.stop)
        for job, back in zip(jobs, returned, strict=False):
            note(job, back)

    def compose_jobs(self, jobs: Sequence[SweepJob]) -> list[Job]:
        """`hydra.yaml` differs between jobs of the same choices in a few entries: one is composed for all."""
        bases: dict[tuple[str, ...], dict[str, Any]] = {}
        made = []
        for job in jobs:
            key = tuple(line for line in job.overrides if self.is_choice(line))
            if key not in bases:
                bases[key] = read_hydra(job.compose())
            lines = list(job.overrides)
            made.append(
                Job(
                    job.path.absolute(), lines, job.config, job.resolved, job.sha256, make_hydra_config(bases[key], job)
                )
            )
        return made

    def is_choice(self, line: str) -> bool:
        """Whether an override line chooses an option of a group; looked up once per key, since Hydra searches files."""
        group = line.partition("=")[0].lstrip("+~").partition("@")[0]
        if "." in group:
            return False  # groups are nested by slashes
        if group not in self.groups:
            self.groups[group] = bool(self.context.config_loader.get_group_options(group))
        return self.groups[group]

    # --- both ----------------------------------------------------------------------------------------

    def stopped(self) -> bool:
        return self.stop is not None and self.stop.exists()

    def vectorize(
        self, jobs: Sequence[Job], finished: Callable[[Job], None], tell: Tell = lambda states: None
    ) -> list[Job]:
        """Train what can be; returns the jobs that cannot, having said why."""
        if getattr(self.command, "name", "") != "train" or self.config.hydra.get("callbacks"):
            why = "hydra.callbacks watch single jobs" if self.config.hydra.get("callbacks") else "they do not train"
            log.warning("%d jobs go to the %s launcher: %s.", len(jobs), self.fallback, why)
            return list(jobs)
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        groups, alone = split_jobs(jobs)
        language = Language(str(OmegaConf.select(self.config, "lang") or "en"))
        for reason, count in Counter(reason for _, reason in alone).items():
            print(
                language.count(
                    "{n} job goes to the {launcher} launcher: {reason}",
                    "{n} jobs go to the {launcher} launcher: {reason}",
                    count,
                    launcher=self.fallback,
                    reason=reason,
                ),
                flush=True,
            )
        if groups:
            rerun = bool(OmegaConf.select(self.config, "rerun"))
            train_jobs(groups, finished, tell, self.stopped, self.chunk, rerun, language)
        return [job for job, _ in alone]

    def make_fallback(self) -> Any:
        """The fallback launcher, as the configuration would have chosen it."""
        node = ConfigStore.instance().load(f"hydra/launcher/{self.fallback}.yaml").node
        config = self.config.copy()
        with open_dict(config):
            config.hydra.launcher = node
        if self.stop is not None:
            return launcher_for(self.context, self.command, config, self.stop)
        return Plugins.instance().instantiate_launcher(
            hydra_context=self.context, task_function=self.task, config=config
        )


def make_job(path: Path, overrides: list[str], config: DictConfig, hydra: Any) -> Job:
    bare = drop_hydra(config) if "hydra" in config else config
    return Job(path.absolute(), overrides, bare, resolve_config(bare), config_sha256(bare), hydra)


def read_hydra(config: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def make_hydra_config(base: dict[str, Any], job: SweepJob) -> dict[str, Any]:
    """`base` as Hydra would have composed it for `job`."""
    held = [line for line in base["overrides"]["hydra"] if not line.startswith("hydra.sweep.")]
    own = job.launch_overrides[len(job.overrides) :]
    return base | {
        "sweep": base["sweep"] | {"dir": str(job.sweep), "subdir": job.name},
        "overrides": {"hydra": [*held, *own], "task": list(job.overrides)},
        "job": base["job"]
        | {"id": str(job.index), "num": job.index, "override_dirname": ",".join(sorted(job.overrides))},
        "runtime": base["runtime"] | {"output_dir": str(job.path)},
    }


def make_unstarted(overrides: Sequence[str]) -> JobReturn:
    """The JobReturn of a job that `fail_fast` kept from starting."""
    answer = JobReturn(overrides=overrides)
    answer.return_value = {"status": NOT_STARTED}
    return answer


def make_return(job: Job) -> JobReturn:
    """The JobReturn handed to Hydra; a failure is in the job's `result.json`."""
    back = JobReturn(overrides=job.overrides, cfg=job.config, working_dir=str(job.path), task_name="train")
    back.status = JobStatus.COMPLETED
    back.return_value = {**job.record, "path": str(job.path)}
    return back
