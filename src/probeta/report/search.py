"""The answer of a search: its best trial, how it came to it, what mattered, and the command that repeats it."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from probeta.metrics.direction import is_maximised
from probeta.report.answer import Answer, Cell, Chart, Table
from probeta.report.charts import lines, short
from probeta.report.language import Language
from probeta.report.summary import Summary
from probeta.runs.identity import parse
from probeta.runs.reading import Damaged, note
from probeta.runs.row import REPLICATES, RunRow

RESAMPLES = 20
"""Of the trials, for the spread of importances."""

TREES = 16
"""Of each forest: fANOVA's default, 64, takes four times as long and tells the same."""

ENOUGH = 10
"""Trials from which importances are told."""

EDGE = 0.02
"""Share of a range within which a value counts as its end."""

SEEDS = 10
"""Seeds that the best is to be repeated over."""


@dataclass(frozen=True)
class TrialRuns:
    """The runs of one trial, and the mean of what was searched for; `None` where some did not complete it."""

    number: int
    runs: tuple[RunRow, ...]
    value: float | None
    pruned: bool


def explain_search(summary: Summary, language: Language) -> Answer | None:
    """The page's answer where the sweep is a search, else `None`."""
    space, metric = summary.sweep.definition.get("space"), summary.primary
    if not space or metric is None:
        return None
    try:
        from optuna.distributions import json_to_distribution

        known = {str(key): json_to_distribution(text) for key, text in space.items()}
    except (ValueError, KeyError, TypeError) as error:
        note(summary.sweep.damage, Damaged(summary.sweep.directory / "sweep.json", f"space: {error}"))
        return None
    say, trials = language.say, read_trials(summary, metric)
    done = [trial for trial in trials if trial.value is not None]
    if not done:
        return Answer([say("No trial has completed.")])
    best = (max if is_maximised(metric) else min)(done, key=lambda trial: trial.value or 0.0)
    point = {key: best.runs[0].settings.get(key) for key in known}
    told = [
        say(
            "Best of {n} completed trials: number {number}, {point}, with {metric} {value}.",
            n=len(done), number=best.number, point=", ".join(f"{key}={value}" for key, value in point.items()),
            metric=language.metric(metric), value=language.number(best.value),
        )
    ]  # fmt: skip
    told += [_edge(key, point[key], known[key], language) for key in known]
    told.append(
        say(
            "Its value is the best of {n}, so it flatters. Over {seeds} seeds it is measured anew by: {command}",
            n=len(done), seeds=SEEDS, command=repeat_command(best, summary.sweep.definition),
        )
    )  # fmt: skip
    table = None if len(known) < 2 or len(done) < ENOUGH else _importance_table(done, known, language)
    return Answer([t for t in told if t], tables=[table] if table else [], charts=[_progress(trials, metric, language)])


def read_trials(summary: Summary, metric: str) -> list[TrialRuns]:
    """The trials in their order; one that was pruned or lacks a run's value has none."""
    jobs = summary.sweep.definition.get("jobs") or {}
    found: dict[int, list[RunRow]] = {}
    for run in summary.sweep.runs:
        number = (jobs.get(run.name) or {}).get("trial")
        if isinstance(number, int):
            found.setdefault(number, []).append(run)
    trials = []
    for number, runs in sorted(found.items()):
        pruned = any((run.path / "pruned.json").exists() for run in runs)
        values = [run.metrics.get(metric) if run.completed else None for run in runs]
        whole = [value for value in values if value is not None]
        mean = statistics.fmean(whole) if len(whole) == len(runs) and not pruned else None
        trials.append(TrialRuns(number, tuple(runs), mean, pruned))
    return trials


def repeat_command(best: TrialRuns, definition: Mapping[str, Any]) -> str:
    """The command that runs the point of `best` over `SEEDS` seeds."""
    typed = shlex.split(str(definition.get("command") or "probeta train").splitlines()[0])
    command = typed[1] if len(typed) > 1 else "train"
    known = [word for i, word in enumerate(typed) if word.startswith("--config-dir") or typed[i - 1] == "--config-dir"]
    held = [line for line in best.runs[0].overrides if parse([line])[0].key_or_group not in REPLICATES]
    return shlex.join(["probeta", command, *known, "-m", *held, f"seed=range({SEEDS})"])


def _edge(key: str, value: Any, distribution: Any, language: Language) -> str:
    """That the best lies at an end of what was searched; empty where it does not, or where there are no ends."""
    low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
    if low is None or high is None or low == high or not isinstance(value, int | float):
        return ""
    scale = math.log if getattr(distribution, "log", False) else float
    place = (scale(value) - scale(low)) / (scale(high) - scale(low))
    say = language.say
    if EDGE < place < 1 - EDGE:
        return ""
    ends = {"key": key, "value": language.number(value), "low": language.number(low), "high": language.number(high)}
    if place <= EDGE:
        return say(
            "{key}={value} lies at the lower edge of the search ({low} to {high}): below it may be better.", **ends
        )
    return say("{key}={value} lies at the upper edge of the search ({low} to {high}): above it may be better.", **ends)


def rank_importance(points: Sequence[Mapping[str, Any]], values: Sequence[float], known: Mapping[str, Any]) -> Any:
    """Key → share of the variance of `values` over the whole space (fANOVA, Hutter et al. 2014), of all trials and of
    `RESAMPLES` resamples of them.
    """
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def evaluate(rows: Sequence[int]) -> dict[str, float]:
        study = optuna.create_study()
        trials = [create_trial(params=dict(points[i]), distributions=dict(known), value=values[i]) for i in rows]
        study.add_trials(trials)
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=0))
        return {key: float(found.get(key, 0.0)) for key in known}

    rng, n = np.random.default_rng(0), len(values)
    drawn = [evaluate(rng.integers(0, n, n).tolist()) for _ in range(RESAMPLES)]
    whole = evaluate(range(n))
    return {key: (whole[key], sorted(one[key] for one in drawn)) for key in known}


def _importance_table(done: Sequence[TrialRuns], known: Mapping[str, Any], language: Language) -> Table | None:
    say = language.say
    points = [{key: trial.runs[0].settings.get(key) for key in known} for trial in done]
    try:
        found = rank_importance(points, [trial.value or 0.0 for trial in done], known)
    except ValueError:  # a choice that is written otherwise than Optuna keeps it
        return None
    rows = []
    for key, (share, drawn) in sorted(found.items(), key=lambda item: -item[1][0]):
        low, high = (language.number(round(100 * drawn[i])) for i in (0, -1))
        rows.append(
            [
                Cell(key),
                Cell(
                    f"{language.number(round(100 * share))} %", share, f"{say('{low} to {high}', low=low, high=high)} %"
                ),
            ]
        )
    hint = say(
        "Share of the variance over the whole space by fANOVA (Hutter et al. 2014), from {n} trials; below it the "
        "lowest and the highest of {k} resamples of the trials. Where these are far apart, the trials do not tell what "
        "matters.",
        n=len(done), k=RESAMPLES,
    )  # fmt: skip
    return Table(say("Importance"), [say("key"), say("importance")], rows, hint)


def _progress(trials: Sequence[TrialRuns], metric: str, language: Language) -> Chart:
    say, pick = language.say, max if is_maximised(metric) else min
    done = [(trial.number, trial.value) for trial in trials if trial.value is not None]
    best = list(accumulate((value for _, value in done), pick))
    at = [number for number, _ in done]
    drawn: dict[str, dict[str, Any] | None] = {
        say("trials"): {"x": at, "mean": [short(value) for _, value in done]},
        say("best so far"): {"x": at, "mean": [short(value) for value in best]},
    }
    left = len(trials) - len(done)
    hint = say("{n} trials that were pruned, failed or are not done are left out.", n=left) if left else ""
    name = language.metric(metric)
    return lines(say("Trials"), say("trial"), name, drawn, markers=True, hint=hint)
