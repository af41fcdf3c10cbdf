"""What a sweep asks of its jobs before any runs: that each could, and that its metrics are reported."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from omegaconf import DictConfig

from probeta.config.switches import check_recipe
from probeta.errors import ConfigError
from probeta.runs.directory import RunDirectory
from probeta.runs.identity import check_seeds, config_sha256
from probeta.runs.record import find_completed
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.question import Definition


class JobChecks:
    """Jobs that differ in nothing but whole-numbered seeds are checked once, those that are done not at all.

    Args:
        check: raises for a configuration that cannot run, else says which metrics it reports (`None`: not known).
        rerun: whether what is done runs again.
    """

    def __init__(self, check: Callable[[DictConfig], Collection[str] | None] | None, rerun: bool) -> None:
        self.check, self.rerun = check, rerun
        self._checked: set[str] = set()
        self._reported: set[str] | None = set()
        """The metrics that some job reports; `None` where one does not say."""

    def __call__(self, job: SweepJob) -> None:
        """Raises what `check` raises, and `ConfigError` for a seed or a recipe that is none."""
        done = None if self.rerun else find_completed(RunDirectory(job.path), job.sha256)
        if self.check is None or done is not None:
            self._add_reported(None if done is None else done["metrics"])
            return
        check_seeds(job.resolved)
        kind = config_sha256({**job.resolved, "seed": 0, "seeds": None})
        if kind in self._checked:
            return
        self._add_reported(self.check(job.config))
        check_recipe(job.config, job.overrides)
        self._checked.add(kind)

    def _add_reported(self, metrics: Collection[str] | None) -> None:
        self._reported = None if metrics is None or self._reported is None else self._reported | {*metrics}

    def check_metrics(self, definition: Definition) -> None:
        """`ConfigError` for a metric that the sweep is about and no job reports, nor its exercise derives."""
        if self._reported is None:
            return
        known = self._reported
        if definition.exercise is not None:
            from probeta.exercises import exercise

            known |= {*exercise(definition.exercise).NAMES}
        for metric in definition.metrics:
            if metric not in known and re.sub(r"[^/]+$", "*", metric) not in known:
                raise ConfigError.unknown("metric", metric, known)
