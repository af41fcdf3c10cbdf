"""Exercise 9: baseline, L2, dropout and batch norm, everything else held fixed."""

from __future__ import annotations

from probeta.exercises.quantities import generalization_gap
from probeta.exercises.results import Results
from probeta.report.answer import Answer
from probeta.report.claims import Expectation

BASELINE = "baseline"
REGULARISED = ("L2 1e-3", "dropout 0.2", "batch norm")

NAMES = {
    "val/acc": "best validation accuracy",
    "best_epoch": "epoch of the best model",
    "generalization_gap": "accuracy gap, training − validation",
}

derive = generalization_gap


def answer(results: Results) -> Answer:
    say = results.say
    plain = {metric: results.of(BASELINE, metric) for metric in ("val/acc", "generalization_gap")}
    better = [
        Expectation(
            say("{name} validates better than the baseline.", name=say(name)),
            results.of(name, "val/acc"), plain["val/acc"],
        )
        for name in REGULARISED
    ]  # fmt: skip
    narrower = [
        Expectation(
            say("{name} narrows the gap between training and validation accuracy.", name=say(name)),
            plain["generalization_gap"], results.of(name, "generalization_gap"),
        )
        for name in REGULARISED
    ]  # fmt: skip
    return Answer(
        sentences=[results.lead("val/acc"), results.lead("generalization_gap"), results.span("best_epoch")],
        claims=results.judge(*better, *narrower),
        charts=results.boundaries(),
    )
