"""The default multirun: a grid or a study, from the command's overrides to the summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from probeta.composition.grid import Grid, expand
from probeta.errors import ConfigError
from probeta.runs.identity import SWEEP_SWITCHES
from probeta.runs.signals import Signals
from probeta.sweeps.crossing import leave_out_absent
from probeta.sweeps.deciding import run_until_decided
from probeta.sweeps.errors import SweepFailed
from probeta.sweeps.naming import sweep_name
from probeta.sweeps.question import Definition, Wanted, command_line, phrase
from probeta.sweeps.session import Session
from probeta.sweeps.study import Study, apply_arguments, choose_settings, extend_with_points, list_lines


class JobResults(dict[str, Any]):
    """Job name → `result.json`, and the `directory` of the sweep."""

    def __init__(self, results: Mapping[str, Any], directory: Path) -> None:
        super().__init__(results)
        self.directory = directory


@dataclass
class Multirun:
    """`Multirun(context, task, config)(arguments)` carries out a multirun.

    Returns the jobs' results by name. Raises `SweepFailed` (exit status 1) when jobs failed, and
    `UserError` before anything ran when the command asks for what cannot be.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    batch_size: int | None = None

    def __call__(self, arguments: Sequence[str]) -> dict[str, Any]:
        switches = [key for key in SWEEP_SWITCHES if key != "zip"]  # which says what the jobs are
        given = [line for line in arguments if line.partition("=")[0].lstrip("+") not in switches]
        asked = [line for line in given if line.lstrip("+").startswith("study.")]
        given = [line for line in given if line not in asked]
        node = OmegaConf.select(self.config, "study")
        study = Study.read(apply_arguments(node, asked)) if node is not None else None
        grid = expand(given, self.context.config_loader)
        directory = choose_directory(self.config, grid, study.name if study else None)
        # Outside its jobs a sweep ends where it stands, with its summary written.
        with Signals() as signals, signals.at_once():
            if study is not None:
                return self._study(study, given, directory)
            definition = Definition(name=directory.name, command=command_line(self.task))
            wanted = [Wanted(point) for point in grid.points()]
            return self._carry_out(definition, directory, lambda session: session.carry_out(session.compose(wanted)))

    def _study(self, study: Study, given: Sequence[str], directory: Path) -> dict[str, Any]:
        if study.search is not None:
            search = study.search
            definition = Definition(
                name=f"{study.name} (search)",
                command=command_line(self.task),
                title=phrase("{study} (search)", study=study.name),
                question=phrase("Which {keys} for each variant?", keys=", ".join(search.params)),
                metrics=(search.metric,),
                compare=False,
            )
            points = list_lines(study, given, search.seeds, search.params)
            list_lines(study, given, study.seeds, study.params)  # what follows is refused now, not after the search
            first = self._session(definition, directory / "search")
            self._through(first, lambda session: session.carry_out(session.compose(points)))
            study = extend_with_points(study, choose_settings(study, first))
        definition = Definition(
            name=study.name,
            command=command_line(self.task),
            question=study.question,
            metrics=study.metrics,
            curves=study.curves,
            reference=study.reference,
            notes=study.notes,
            title=study.title,
            exercise=study.exercise,
            may_diverge=study.may_diverge,
            until=study.until,
            max_seeds=study.max_seeds if study.until else None,
            equivalence_margin=study.equivalence_margin,
        )
        if study.until == "decided":
            settled = study
            return self._carry_out(definition, directory, lambda s: run_until_decided(settled, given, s))
        wanted = list_lines(study, given, study.seeds, study.params)
        return self._carry_out(
            definition, directory, lambda s: s.carry_out(s.compose(leave_out_absent(wanted, s.composer.task)))
        )

    def _session(self, definition: Definition, directory: Path) -> Session:
        return Session(self.context, self.task, self.config, directory, definition, self.batch_size)

    def _carry_out(self, definition: Definition, directory: Path, work: Callable[[Session], None]) -> dict[str, Any]:
        session = self._session(definition, directory)
        self._through(session, work)
        if session.failures or session.unwritten:
            raise SweepFailed(session.failures, len(session.jobs), directory)
        return JobResults({name: ended.result for name, ended in session.ended.items()}, directory)

    @staticmethod
    def _through(session: Session, work: Callable[[Session], None]) -> None:
        try:
            work(session)
        finally:
            if session.opened:
                session.close()


def choose_directory(config: DictConfig, grid: Grid, study: str | None) -> Path:
    """The sweep's directory: `hydra.sweep.dir` where the command says it, else by its definition."""
    held = [str(line) for line in config.hydra.overrides.hydra]
    if any(line.lstrip("+").startswith("hydra.sweep.dir=") for line in held):
        return Path(str(config.hydra.sweep.dir)).absolute()
    root = Path(str(OmegaConf.select(config, "output_dir", default=None) or "outputs"))
    name = OmegaConf.select(config, "name", default=None)
    fixed = [line for line in grid.fixed if not line.startswith("study=")]
    if any(key.lstrip("+") == "study" for key in grid.axes):
        raise ConfigError("study takes one study at a time: a study is a sweep of its own")
    command = str(config.hydra.job.config_name)
    folder = sweep_name(command, fixed, grid.names(), study=study, name=None if name is None else str(name))
    return (root / folder).absolute()
