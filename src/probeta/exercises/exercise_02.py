"""Exercise 2: capacity against overfitting, width × depth."""

from __future__ import annotations

from probeta.exercises.quantities import generalization_gap
from probeta.exercises.results import Results
from probeta.report.answer import Answer
from probeta.report.claims import Expectation

WIDTH, DEPTH = "model.width", "model.depth"

NAMES = {
    "generalization_gap": "accuracy gap, training − validation",
    WIDTH: "width (units per layer)",
    DEPTH: "depth (hidden layers)",
}

derive = generalization_gap


def answer(results: Results) -> Answer:
    say, expected = results.say, []
    for key, message in (
        (WIDTH, say("Wider nets ({high} against {low} units)")),
        (DEPTH, say("Deeper nets ({high} against {low} layers)")),
    ):
        levels = results.levels(key)
        if len(levels) > 1:
            nets = message.format(high=levels[-1], low=levels[0])
            for statement, metric in (
                (say("{nets} fit the training set better.", nets=nets), "train/acc"),
                (say("{nets} leave a wider gap.", nets=nets), "generalization_gap"),
                (say("{nets} validate better.", nets=nets), "val/acc"),
            ):
                above, below = (results.at(metric, **{key: level}) for level in (levels[-1], levels[0]))
                expected.append(Expectation(statement, above, below))
    metrics = ("train/acc", "val/acc", "generalization_gap")
    return Answer(
        sentences=[results.lead("val/acc"), results.lead("generalization_gap")],
        claims=results.judge(*expected),
        charts=[results.grid(results.metric(metric), metric, DEPTH, WIDTH) for metric in metrics],
    )
