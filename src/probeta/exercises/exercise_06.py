"""Exercise 6: initial weights from too small to too large."""

from __future__ import annotations

from itertools import pairwise

from probeta.exercises.quantities import curve_of
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Chart
from probeta.report.charts import lines, points
from probeta.report.claims import Expectation
from probeta.report.runs import Run

SCALE = "model.init_scale"
LEARNED = 0.8
"""A training accuracy below which two moons count as not learned: a line reaches more."""

NAMES = {
    "first_grad_norm": "gradient norm at the first step",
    "first_loss": "loss at the first step",
    "largest_rise": "largest rise of the training loss from an epoch to the next",
    SCALE: "factor on the initial weights",
}


def derive(run: Run) -> dict[str, float]:
    loss, norm = curve_of(run, "train/loss"), curve_of(run, "grad_norm/total")
    found = {}
    if loss:
        values = [loss[epoch] for epoch in sorted(loss)]
        found["first_loss"] = values[0]
        found["largest_rise"] = max([0.0, *(b - a for a, b in pairwise(values))])
    if norm:
        found["first_grad_norm"] = norm[min(norm)]
    return found


def answer(results: Results) -> Answer:
    say, scales = results.say, results.levels(SCALE)
    sentences = [results.lead("train/loss"), broken(results)]
    claims = []
    if 1 in scales:
        small, large = scales[0], scales[-1]
        factor = {level: results.number(level) for level in scales}
        of = {
            level: {m: results.at(m, **{SCALE: level}) for m in ("first_grad_norm", "train/loss")} for level in scales
        }
        claims = results.judge(
            Expectation(
                say("At factor {factor} the first gradient is smaller than at 1.", factor=factor[small]),
                of[1]["first_grad_norm"], of[small]["first_grad_norm"],
                say("The gradient passes every weight matrix on its way down, and each makes it smaller."), ratio=True,
            ),
            Expectation(
                say("At factor {factor} the first gradient is larger than at 1.", factor=factor[large]),
                of[large]["first_grad_norm"], of[1]["first_grad_norm"],
                say("The gradient passes every weight matrix on its way down, and each makes it larger."), ratio=True,
            ),
            Expectation(
                say("At factor {factor} training ends with a greater loss than at 1.", factor=factor[small]),
                of[small]["train/loss"], of[1]["train/loss"],
            ),
            Expectation(
                say("At factor {factor} training ends with a greater loss than at 1.", factor=factor[large]),
                of[large]["train/loss"], of[1]["train/loss"],
            ),
        )  # fmt: skip
    return Answer(sentences, claims, charts=charts(results))


def broken(results: Results) -> str:
    """The factors at which training breaks: runs that end with the moons not learned."""
    say, told = results.say, []
    for scale in results.levels(SCALE):
        values = list(results.at("train/acc", **{SCALE: scale}).values())
        if lost := sum(value < LEARNED for value in values):
            told.append(say("{factor} ({n} of {total} runs)", factor=results.number(scale), n=lost, total=len(values)))
    limit = results.number(LEARNED)
    if not told:
        return say(
            "Training breaks at none of the factors: every run ends above {limit} training accuracy.", limit=limit
        )
    return say("Training breaks (training accuracy below {limit}) at these factors: {told}.", limit=limit,
               told=results.language.list(told))  # fmt: skip


def charts(results: Results) -> list[Chart]:
    say, scales = results.say, results.levels(SCALE)
    epoch, x = say("epoch"), results.metric(SCALE)
    found = []
    for metric in ("train/loss", "grad_norm/total"):
        bands = {f"× {results.number(scale)}": results.band(metric, **{SCALE: scale}) for scale in scales}
        found.append(lines(results.metric(metric), epoch, results.metric(metric), bands, log_y=True))
    for metric in ("first_grad_norm", "train/loss"):
        samples = [list(results.at(metric, **{SCALE: scale}).values()) for scale in scales]
        series = {say("mean"): points([float(s) for s in scales], samples)}
        title = say("{metric} against the factor", metric=results.metric(metric))
        found.append(lines(title, x, results.metric(metric), series, log_x=True, log_y=True, markers=True))
    return found
