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
    """A grid or a study.

    Args:
        max_batch_size: jobs that are handed to the launcher at a time, from 1; null: all.
        params: axes besides the command's: key → values in Hydra's sweep syntax.
    """

    _target_: str = "hydra_plugins.probeta_sweeper.sweeper.ProbetaSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] = field(default_factory=dict)


class LateSweeper(Sweeper):
    """What both sweepers are: Hydra's arguments kept until `sweep`, when the heavy part is imported."""

    params: dict[str, str]
    hydra_context: HydraContext
    config: DictConfig
    task_function: TaskFunction

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def axes(self, arguments: list[str]) -> list[str]:
        """The configured axes before the command's."""
        return [*(f"{key}={values}" for key, values in self.params.items()), *arguments]


class ProbetaSweeper(LateSweeper):
    """A grid or a study that resumes, survives what its jobs do, and ends with a summary."""

    def __init__(self, max_batch_size: int | None, params: dict[str, str]) -> None:
        self.max_batch_size = max_batch_size
        self.params = params

    def sweep(self, arguments: list[str]) -> Any:
        from probeta.sweeps.multirun import Multirun

        sweep = Multirun(self.hydra_context, self.task_function, self.config, self.max_batch_size)
        return sweep(self.axes(arguments))


ConfigStore.instance().store(group="hydra/sweeper", name="probeta", node=ProbetaSweeperConf, provider="probeta")


@dataclass
class OptunaSweeperConf:
    """A search by Optuna.

    Args:
        n_trials: trials in all, from 1, those of earlier calls included.
        n_jobs: trials that are launched together, from 1 (a launcher with workers runs them side by side).
        metric: what is searched for, as `result.json` names it; null: the recipe's monitor.
        sampler: how points are drawn: tpe (Bergstra et al. 2011), random.
        sampler_seed: of the points that are drawn, from 0.
        pruner: whether hopeless trials are given up, with callbacks=search: median, none.
        params: the space besides the command's: key → values in Hydra's sweep syntax.
    """

    _target_: str = "hydra_plugins.probeta_sweeper.sweeper.OptunaSweeper"
    n_trials: int = 20
    n_jobs: int = 1
    metric: str | None = None
    sampler: str = "tpe"
    sampler_seed: int = 0
    pruner: str = "median"
    params: dict[str, str] = field(default_factory=dict)


class OptunaSweeper(LateSweeper):
    """`hydra/sweeper=optuna`: a search that resumes towards a total number of trials."""

    def __init__(self, params: dict[str, str], **options: Any) -> None:
        self.params = params
        self.options = options

    def sweep(self, arguments: list[str]) -> Any:
        from probeta.sweeps.search import OptunaSearch

        search = OptunaSearch(self.hydra_context, self.task_function, self.config, **self.options)
        return search(self.axes(arguments))


ConfigStore.instance().store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="probeta")


def register() -> None:
    """Make both known to Hydra, which does not find an editable install's plugins by walking."""
    from hydra.core.plugins import Plugins

    for plugin in (ProbetaSweeper, OptunaSweeper):
        Plugins.instance().register(plugin)
