"""A search by Optuna, ask and tell: its trials are jobs like a grid's, its memory is a file beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from probeta.composition.grid import Grid
from probeta.errors import ConfigError, RunDirectoryError, check_whole
from probeta.metrics.direction import check_optimized, is_maximised
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import search_address, search_database
from probeta.runs.identity import SWEEP_SWITCHES, label_settings
from probeta.runs.reading import check_database
from probeta.runs.signals import Signals
from probeta.sweeps.errors import SweepFailed
from probeta.sweeps.multirun import choose_directory
from probeta.sweeps.question import Definition, Said, Wanted, command_line, phrase, write_definition
from probeta.sweeps.session import Session
from probeta.sweeps.space import Space, read_space

STUDY = "search"
SAMPLERS = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
PRUNERS = {"median": optuna.pruners.MedianPruner, "none": optuna.pruners.NopPruner}
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass
class OptunaSearch:
    """`OptunaSearch(context, task, config, …)(arguments)` runs trials until there are `n_trials` in all.

    A trial is one point of the space, repeated over the command's seeds; its value is their mean. Trials
    that fail are told to Optuna as failed and do not end the search. Raises `UserError` for what cannot be
    searched, `SweepFailed` when trials of this call failed.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    n_trials: int = 20
    n_jobs: int = 1
    metric: str | None = None
    sampler: str = "tpe"
    sampler_seed: int = 0
    pruner: str = "median"

    def __call__(self, arguments: Sequence[str]) -> dict[str, Any]:
        if OmegaConf.select(self.config, "zip", default=None) is not None:
            raise ConfigError(f"zip={self.config.zip} is not accepted: a search has no axes that could move together")
        given = [line for line in arguments if line.partition("=")[0].lstrip("+") not in SWEEP_SWITCHES]
        space = read_space(given, self.context.config_loader)
        check_whole("hydra.sweeper.n_trials", self.n_trials)
        check_whole("hydra.sweeper.n_jobs", self.n_jobs)
        axes: dict[str, tuple[str, ...]] = dict.fromkeys([*space.searched, *space.seeds], ())
        directory = choose_directory(self.config, Grid((*space.fixed, "+search=optuna"), axes), None)
        metric = self.metric or OmegaConf.select(self.config, "recipe.monitor", default=None)
        if metric is None:
            raise ConfigError("hydra.sweeper.metric is missing: the metric that the search is for, as val/loss")
        check_optimized("hydra.sweeper.metric", metric)
        check_whole("hydra.sweeper.sampler_seed", self.sampler_seed, 0, 2**32 - 1)
        definition = Definition(
            name=f"search: {', '.join(space.searched)}",
            command=command_line(self.task),
            title=phrase("search: {keys}", keys=", ".join(space.searched)),
            question=phrase("Which {keys} gives the best {metric}?", keys=", ".join(space.searched), metric=metric),
            metrics=(metric,),
            compare=False,
            space={key: distribution_to_json(known) for key, known in space.searched.items()},
        )
        session = Session(self.context, self.task, self.config, directory, definition)
        with Signals() as signals, signals.at_once():
            try:
                return Trials(self, session, space, metric).run()
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
                cause = str(error.__cause__ or error).splitlines()[0]
                raise RunDirectoryError(f"{search_database(directory)} cannot be read or written: {cause}") from error

    def study(self, directory: Path, metric: str) -> optuna.Study:
        """The study in `directory`, new or as an earlier call left it."""
        for key, value, known in (("sampler", self.sampler, SAMPLERS), ("pruner", self.pruner, PRUNERS)):
            if value not in known:
                raise ConfigError.unknown(f"hydra.sweeper.{key}", value, known)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(f"{directory} cannot be written: {error.strerror or error}") from None
        database = search_database(directory)
        check_database(database)
        if not database.exists() and (directory / "sweep.json").exists():
            print(
                f"{database} is missing: trials are counted from 0 again, and no completed job is repeated", flush=True
            )
        study = optuna.create_study(
            study_name=STUDY,
            storage=search_address(directory),
            load_if_exists=True,
            direction="maximize" if is_maximised(metric) else "minimize",
            pruner=PRUNERS[self.pruner](),
        )
        # A resumed search must not draw the points again that it began with.
        study.sampler = SAMPLERS[self.sampler](seed=self.sampler_seed + len(study.get_trials(deepcopy=False)))
        return study


class Trials:
    """The trials of one call: those that an earlier call left running, then new ones."""

    def __init__(self, search: OptunaSearch, session: Session, space: Space, metric: str) -> None:
        self.search, self.session, self.space, self.metric = search, session, space, metric
        self.study = search.study(session.directory, metric)
        self.prunes = OmegaConf.select(session.config, "callbacks.pruning", default=None) is not None
        self.failed = 0

    def run(self) -> dict[str, Any]:
        self._refuse_changed()
        try:
            if not (batch := self._next()):
                self.session.open()
                n, more = self.search.n_trials, f"hydra.sweeper.n_trials={self.search.n_trials * 2}"
                self.session.tell("{where}: all {n} trials are done; {more} goes on with more",
                                   where=self.session.directory, n=n, more=more)  # fmt: skip
            while batch:
                self._carry_out(batch)
                if self.session.stopped:
                    break
                batch = self._next()
        finally:
            if self.session.opened:
                self.session.definition = replace(self.session.definition, notes=self._notes())
                write_definition(self.session.directory, self.session.definition, self.session.jobs.values())
                self.session.close()
        if self.failed or self.session.unwritten:
            raise SweepFailed(self.session.failures or self.failed, len(self.session.jobs), self.session.directory)
        return {name: ended.result for name, ended in self.session.ended.items()}

    def _refuse_changed(self) -> None:
        """Optuna cannot mix trials that searched other keys, or chose between other values."""
        for trial in self.study.get_trials(deepcopy=False, states=ENDED)[:1]:
            if trial.distributions.keys() != self.space.searched.keys():
                keys, others = (", ".join(sorted(d)) for d in (trial.distributions, self.space.searched))
                raise RunDirectoryError(
                    f"{self.session.directory} holds a search for {keys}, now for {others}: name=NAME keeps them apart"
                )
            for key, asked in self.space.searched.items():
                before = trial.distributions.get(key)
                if before is not None and (type(before) is not type(asked) or _choices(before) != _choices(asked)):
                    raise RunDirectoryError(
                        f"{self.session.directory} holds a search with {key} in {before}, now {asked}: "
                        "name=NAME keeps them apart"
                    )

    def _next(self) -> list[Trial]:
        """Up to `n_jobs` trials: what was running when a call was killed comes first."""
        trials = self.study.get_trials(deepcopy=False)
        known = {t.number for t in trials if t.state in ENDED}
        running = [t for t in trials if t.state == TrialState.RUNNING]
        batch = [Trial(self.study, t._trial_id) for t in running[: self.search.n_jobs]]
        wanted = min(self.search.n_jobs, self.search.n_trials - len(known)) - len(batch)
        return batch + [self.study.ask(self.space.searched) for _ in range(wanted)]

    def _carry_out(self, batch: Sequence[Trial]) -> None:
        jobs: dict[int, list[str]] = {trial.number: [] for trial in batch}
        seeds = self.space.list_repeats()
        # A trial that is pruned at its first seed must not cost the others.
        waves = [seeds[:1], seeds[1:]] if self.prunes else [seeds]
        alive = list(batch)
        for wave in filter(None, waves):
            wanted = {
                trial.number: [
                    Wanted((*self._lines(trial), *seed), self._title(trial), str(trial.number)) for seed in wave
                ]
                for trial in alive
            }
            listed = self.session.compose([want for wants in wanted.values() for want in wants])
            names = {job.overrides: job for job in listed}
            for trial in alive:
                own = [names[want.overrides] for want in wanted[trial.number]]
                jobs[trial.number] += [job.name for job in own]
                if self.prunes and wave is waves[0]:
                    self._mark(own[0].path, trial)
            self.session.carry_out(listed)
            if self.session.stopped:
                return
            alive = [trial for trial in alive if not self._pruned(jobs[trial.number])]
        for trial in batch:
            self._tell(trial, jobs[trial.number])

    def _lines(self, trial: Trial) -> tuple[str, ...]:
        return self.space.lines(dict(trial.params))

    def _title(self, trial: Trial) -> str:
        """What pages call the trial."""
        values = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in trial.params.items()}
        point = label_settings(values)
        return f"trial {trial.number}: {point}"

    def _mark(self, path: Path, trial: Trial) -> None:
        """Tell the job which trial it is, for the pruning callback: `trial.json`."""
        path.mkdir(parents=True, exist_ok=True)
        note = {"study": STUDY, "trial": trial._trial_id, "pruner": self.search.pruner}
        write_atomic(path / "trial.json", json.dumps(note) + "\n")

    def _pruned(self, names: Sequence[str]) -> bool:
        return any((self.session.directory / name / "pruned.json").exists() for name in names)

    def _tell(self, trial: Trial, names: Sequence[str]) -> None:
        results = [ended for name in names if (ended := self.session.ended.get(name)) is not None]
        values: list[Any] = [(e.result.get("metrics") or {}).get(self.metric) for e in results if e.completed]
        told = {"n": trial.number, "point": ", ".join(self._lines(trial)[len(self.space.fixed) :])}
        if self._pruned(names):
            self.study.tell(trial, state=TrialState.PRUNED)
            self.session.tell("trial {n}: {point}: pruned", **told)
        elif len(values) == len(names) and all(v is not None and math.isfinite(v) for v in values):
            mean = sum(values) / len(values)
            self.study.tell(trial, mean)
            found, best = {"metric": self.metric, "value": float(mean)}, self._best_trial()
            if best is None:
                self.session.tell("trial {n}: {point}: {metric} {value}", **told, **found)
            else:
                found |= {"best": best.number, "most": float(best.value or 0.0)}
                self.session.tell("trial {n}: {point}: {metric} {value} (best: trial {best}, {most})", **told, **found)
        elif values and values == [None] * len(names) and self._best_trial() is None:
            self.study.tell(trial, state=TrialState.FAIL)
            known = {name for ended in results for name in ended.result["metrics"]}
            raise ConfigError.unknown("metric", self.metric, known)
        else:
            self.failed += 1
            self.study.tell(trial, state=TrialState.FAIL)
            if None in values:
                self.session.tell("trial {n}: {point}: failed; its runs have no {metric}", **told, metric=self.metric)
            else:
                self.session.tell("trial {n}: {point}: failed", **told)

    def _best_trial(self) -> FrozenTrial | None:
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not complete:
            return None
        pick = max if is_maximised(self.metric) else min
        return pick(complete, key=lambda t: float(t.value or 0.0))

    def _notes(self) -> tuple[Said, ...]:
        counts = dict.fromkeys(ENDED, 0)
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state in counts:
                counts[trial.state] += 1
        done = {state.name.lower(): n for state, n in counts.items()}
        trials = phrase("trials: {complete} completed, {pruned} pruned, {fail} failed", **done)
        best = self._best_trial()
        if best is None:
            return (trials,)
        point = " ".join(self.space.lines(dict(best.params))[len(self.space.fixed) :])
        best_is = {"n": best.number, "point": point, "metric": self.metric, "value": best.value}
        return (trials, phrase("best trial {n}: {point} ({metric} {value})", **best_is))


def _choices(distribution: Any) -> Any:
    return getattr(distribution, "choices", None)
