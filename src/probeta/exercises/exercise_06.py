"""Exercise 6: initial weights from too small to too large."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from probeta.exercises.quantities import curve_of
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Chart, Claim
from probeta.report.charts import band, lines, points
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow

SCALE = "model.init_scale"
LEARNED = 0.8
"""A training accuracy below which two moons count as not learned: a line reaches more."""

NAMES = {
    "first_grad_norm": "gradient norm at the first step",
    "first_loss": "loss at the first step",
    "largest_rise": "largest rise of the training loss from an epoch to the next",
    SCALE: "factor on the initial weights",
}


def derive(run: RunRow) -> dict[str, float]:
    loss, norm = curve_of(run, "train/loss"), curve_of(run, "grad_norm/total")
    found = {}
    if loss:
        values = [loss[epoch] for epoch in sorted(loss)]
        found["first_loss"] = values[0]
        found["largest_rise"] = max([0.0, *(b - a for a, b in pairwise(values))])
    if norm:
        found["first_grad_norm"] = norm[min(norm)]
    return found


def runs_at(results: Results, scale: Any) -> list[RunRow]:
    """The runs with that factor, those too whose loss stopped being a number."""
    return [r for r in results.summary.sweep.runs if r.settings.get(SCALE) == scale and (r.completed or diverged(r))]


def diverged(run: RunRow) -> bool:
    return (run.error or {}).get("type") == "TrainingDiverged"


def first_norms(runs: list[RunRow]) -> dict[Any, float]:
    """Replicate → gradient norm at the first step."""
    derived = {run.replicate: derive(run) for run in runs}
    return {key: found["first_grad_norm"] for key, found in derived.items() if "first_grad_norm" in found}


def answer(results: Results) -> Answer:
    scales = results.levels(SCALE, results.summary.sweep.runs)
    told = [outcome(results, scale) for scale in scales]
    sentences = [results.lead("train/loss"), *filter(None, told)]
    if not any(told):
        limit = results.number(LEARNED)
        sentences.append(results.say("No factor breaks training: every run ends above {limit} training accuracy.",
                                     limit=limit))  # fmt: skip
    return Answer(sentences, claims(results, scales), charts=charts(results, scales))


def outcome(results: Results, scale: Any) -> str:
    """What breaks at a factor: runs whose loss is no number any more, and runs that end with little learned."""
    runs = runs_at(results, scale)
    lost = sum(diverged(run) for run in runs)
    dull = sum(run.completed and (run.metrics.get("train/acc") or 0.0) < LEARNED for run in runs)
    if not lost + dull:
        return ""
    return results.say(
        "At factor {factor} training breaks: of {total} runs {lost} diverge, and {dull} end below {limit} training "
        "accuracy.",
        factor=results.number(scale), total=len(runs), lost=lost, dull=dull, limit=results.number(LEARNED),
    )  # fmt: skip


def claims(results: Results, scales: list[Any]) -> list[Claim]:
    say = results.say
    small, large = (scales[0], scales[-1]) if scales else (1, 1)
    if 1 not in scales or not small < 1 < large:
        return []
    norms = {scale: first_norms(runs_at(results, scale)) for scale in (small, 1, large)}
    factor = {scale: results.number(scale) for scale in scales}
    loss = {run.replicate: run.metrics.get("train/loss") for run in runs_at(results, 1)}
    tested = results.judge(
        Expectation(
            say("At factor {factor} the first gradient is smaller than at 1.", factor=factor[small]),
            norms[1], norms[small],
            say("The gradient passes every weight matrix on its way down, and each makes it smaller."), ratio=True,
        ),
        Expectation(
            say("At factor {factor} the first gradient is larger than at 1.", factor=factor[large]),
            norms[large], norms[1],
            say("The gradient passes every weight matrix on its way down, and each makes it larger."), ratio=True,
        ),
    )  # fmt: skip
    for scale in (small, large):
        pairs = [(run.metrics.get("train/loss"), loss.get(run.replicate)) for run in runs_at(results, scale)]
        worse = sum(own is None or (other is not None and own > other) for own, other in pairs)
        statement = say(
            "At factor {factor} training ends with a greater loss than at 1, or with none that is a number.",
            factor=factor[scale],
        )
        tested.append(results.counted(statement, worse, len(pairs)))
    return tested


def charts(results: Results, scales: list[Any]) -> list[Chart]:
    say, epoch, x = results.say, results.say("epoch"), results.metric(SCALE)
    found = []
    for metric in ("train/loss", "grad_norm/total"):
        series = {
            f"× {results.number(s)}": band(results.curves(runs_at(results, s), metric), keep=False) for s in scales
        }
        found.append(lines(results.curve(metric), epoch, results.curve(metric), series, log_y=True))
    title = say("{metric} against the factor", metric=results.metric("first_grad_norm"))
    norms = points([float(s) for s in scales], [list(first_norms(runs_at(results, s)).values()) for s in scales])
    return [*found, lines(title, x, results.metric("first_grad_norm"), {say("mean"): norms}, log_x=True, log_y=True,
                          markers=True)]  # fmt: skip
