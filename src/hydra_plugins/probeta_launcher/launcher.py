"""`hydra/launcher=vectorized`: Hydra's door to `probeta.vectorized` (Hydra imports this at every start)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from probeta.sweeps.jobs import SweepJob
    from probeta.sweeps.progress import Hear
    from probeta.vectorized.launcher import EnsembleLauncher


@dataclass
class VectorizedLauncherConf:
    """Trains the jobs that differ only in seeds and numbers as ensembles.

    Args:
        fallback: the launcher of the jobs that cannot be members of an ensemble.
        chunk: members that train at once, from 1; null: measured.
    """

    _target_: str = "hydra_plugins.probeta_launcher.launcher.VectorizedLauncher"
    fallback: str = "joblib"
    chunk: int | None = None


class VectorizedLauncher(Launcher):
    """Trains the jobs that differ only in seeds and numbers as ensembles, and hands the others to `fallback`."""

    def __init__(self, fallback: str, chunk: int | None) -> None:
        self.fallback = fallback
        self.chunk = chunk

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return self._launcher().launch(job_overrides, initial_job_idx)

    def launch_composed(
        self, jobs: Sequence[SweepJob], finished: Callable[[SweepJob, JobReturn], None], hear: Hear
    ) -> list[JobReturn]:
        """As `probeta.sweeps.launchers.ComposedLauncher` asks for."""
        return self._launcher().launch_composed(jobs, finished, hear)

    def workers(self) -> int:
        from probeta.vectorized.processes import processes

        return processes()

    def _launcher(self) -> EnsembleLauncher:
        from probeta.vectorized.launcher import EnsembleLauncher

        return EnsembleLauncher(self.fallback, self.chunk, self.hydra_context, self.task_function, self.config)


ConfigStore.instance().store(group="hydra/launcher", name="vectorized", node=VectorizedLauncherConf, provider="probeta")


def register() -> None:
    """Make it known to Hydra, which does not find an editable install's plugins by walking."""
    from hydra.core.plugins import Plugins

    Plugins.instance().register(VectorizedLauncher)
