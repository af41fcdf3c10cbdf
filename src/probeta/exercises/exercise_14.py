"""Exercise 14: weight decay in Adam and in AdamW, at the same decay and over a grid."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from probeta.exercises.quantities import generalization_gap
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Chart
from probeta.report.charts import lines, points
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow
from probeta.stats.values import Values

OPTIMIZER, RATE, DECAY = "optimizer", "optimizer.lr", "optimizer.weight_decay"
ADAM, ADAMW = "adam", "adamw"
TITLES = {ADAM: "Adam", ADAMW: "AdamW"}

NAMES = {
    "weight_norm": "norm of the weights",
    "generalization_gap": "accuracy gap, training − validation",
    RATE: "learning rate",
    DECAY: "weight decay",
}


def derive(run: RunRow) -> dict[str, float]:
    norm = run.result.get("weight_norm")
    return {**generalization_gap(run), **({} if norm is None else {"weight_norm": float(norm)})}


def answer(results: Results) -> Answer:
    say = results.say
    rates, decays = results.levels(RATE), results.levels(DECAY)
    if not rates or len(decays) < 2:
        return Answer([say("No run has completed.")])
    middle, large = rates[len(rates) // 2], decays[-1]
    words = {"decay": results.number(large), "rate": results.number(middle)}
    at = {name: {OPTIMIZER: name, RATE: middle, DECAY: large} for name in (ADAM, ADAMW)}
    none = {name: {OPTIMIZER: name, RATE: middle, DECAY: decays[0]} for name in (ADAM, ADAMW)}
    norm = {name: results.at("weight_norm", **at[name]) for name in (ADAM, ADAMW)}
    gap = {name: results.at("generalization_gap", **at[name]) for name in (ADAM, ADAMW)}
    steps = [{OPTIMIZER: ADAMW, RATE: rate, DECAY: large} for rate in (rates[0], rates[-1])]
    claims = results.judge(
        Expectation(
            say("At decay {decay} and learning rate {rate} Adam's weights are smaller than AdamW's.", **words),
            norm[ADAMW], norm[ADAM],
            say("In Adam the decay is part of the gradient, which is then divided by its own running size: where the "
                "loss's gradient is small, the penalty alone makes full steps. AdamW takes lr × decay of each weight "
                "and no more."),
            ratio=True,
        ),
        Expectation(
            say("At decay {decay} and learning rate {rate} Adam's gap is narrower than AdamW's.", **words),
            gap[ADAMW], gap[ADAM],
        ),
        *(
            Expectation(
                say("{name}: the weights are smaller with decay {decay} than without.", name=TITLES[name],
                    decay=words["decay"]),
                results.at("weight_norm", **none[name]), norm[name], ratio=True,
            )
            for name in (ADAM, ADAMW)
        ),
        Expectation(
            say("AdamW's decay of {decay} acts more strongly at a high learning rate: it takes a greater share of the "
                "norm at {high} than at {low}.", decay=words["decay"], high=results.number(rates[-1]),
                low=results.number(rates[0])),
            shrunk(results, steps[1], decays[0]), shrunk(results, steps[0], decays[0]),
            say("What AdamW takes off at each step is lr × decay of the weight."), ratio=True,
        ),
    )  # fmt: skip
    return Answer([told(results, middle, large)], claims, charts=charts(results))


def shrunk(results: Results, settings: dict[str, Any], none: Any) -> Values:
    """The norm without decay over the norm with it, seed by seed."""
    without = results.at("weight_norm", **{**settings, DECAY: none})
    decayed = results.at("weight_norm", **settings)
    shares = {key: without[key] / decayed[key] for key in decayed if key in without and decayed[key] > 0}
    return decayed.derive(shares, without)


def told(results: Results, rate: Any, decay: Any) -> str:
    """The two at the same rate and decay, in numbers."""
    say, parts = results.say, []
    for name in (ADAM, ADAMW):
        at = {OPTIMIZER: name, RATE: rate, DECAY: decay}
        means = {m: list(results.at(m, **at).values()) for m in ("weight_norm", "generalization_gap", "val/acc")}
        if all(means.values()):
            norm, gap, acc = (results.number(fmean(values)) for values in means.values())
            parts.append(say("{name}: norm of the weights {norm}, gap {gap}, validation accuracy {acc}",
                             name=TITLES[name], norm=norm, gap=gap, acc=acc))  # fmt: skip
    return say("At learning rate {rate} and decay {decay} (means over the seeds): {parts}.", rate=results.number(rate),
               decay=results.number(decay), parts="; ".join(parts))  # fmt: skip


def charts(results: Results) -> list[Chart]:
    """For each optimizer the grid of learning rate × decay; then the norms against the decay."""
    say, rates, decays = results.say, results.levels(RATE), results.levels(DECAY)
    found = []
    for metric, digits in (("weight_norm", 3), ("val/acc", 3), ("generalization_gap", 2)):
        for name, title in TITLES.items():
            heading = say("{name}: {metric}", name=title, metric=results.metric(metric))
            found.append(results.grid(heading, metric, DECAY, RATE, digits, **{OPTIMIZER: name}))
    some = [d for d in decays if d > 0]
    series = {
        f"{title}, {results.number(rate)}": points(
            [float(d) for d in some],
            [list(results.at("weight_norm", **{OPTIMIZER: name, RATE: rate, DECAY: d}).values()) for d in some],
        )
        for name, title in TITLES.items()
        for rate in rates
    }
    found.append(lines(say("Norm of the weights against the decay, by learning rate"), results.metric(DECAY),
                       results.metric("weight_norm"), series, log_x=True, markers=True))  # fmt: skip
    return found
