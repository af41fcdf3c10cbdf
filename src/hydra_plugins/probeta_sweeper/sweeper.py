"""`hydra/sweeper=probeta`: Hydra's door to `probeta.sweeps` (Hydra imports this at every start)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class ProbetaSweeperConf:
    _target_: str = "hydra_plugins.probeta_sweeper.sweeper.ProbetaSweeper"
    max_batch_size: int | None = None
    """Jobs that are handed to the launcher at a time; null: all."""
    params: dict[str, str] = field(default_factory=dict)
    """Axes besides the command's: key → values in Hydra's sweep syntax."""
    check: str | None = None
    """Import path of a function that raises `UserError` for a configuration that cannot run."""


class ProbetaSweeper(Sweeper):
    """A grid or a study that resumes, survives what its jobs do, and ends with a summary."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str], check: str | None) -> None:
        self.max_batch_size = max_batch_size
        self.params = params
        self.check = check

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        from probeta.sweeps.sweep import Sweep

        sweep = Sweep(self.hydra_context, self.task_function, self.config, self.check, self.max_batch_size)
        return sweep([*(f"{key}={values}" for key, values in self.params.items()), *arguments])


ConfigStore.instance().store(group="hydra/sweeper", name="probeta", node=ProbetaSweeperConf, provider="probeta")
