"""Exercise 1: logistic regression on binary cross-entropy beside the perceptron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probeta.exercises.quantities import curve_of, epochs_to
from probeta.exercises.results import Results
from probeta.report.answer import Answer
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow

PERCEPTRON, LOGISTIC = "perceptron", "logistic regression"

NAMES = {
    "epochs_to_separation": "epochs until all points are on their side",
    "margin": "margin (distance from the nearest point to the boundary)",
    "train/loss": "training loss, each its own",
}


def derive(run: RunRow) -> dict[str, float]:
    found = {}
    if (epochs := epochs_to(curve_of(run, "train/acc"), 1.0)) is not None:
        found["epochs_to_separation"] = float(epochs)
    if (arrays := run.artifacts.boundary()) and (distance := margin(arrays)) is not None:
        found["margin"] = distance
    return found


def margin(arrays: Mapping[str, NDArray[Any]]) -> float | None:
    """The smallest signed distance of a point to the line, below 0 where a point is on the wrong side.

    The line is read off the grid of probabilities, whose logits are `w·x + b`; `None` where too few of them
    differ from 0 and 1.
    """
    p, points, labels = arrays["probability"].astype(float), arrays["points"], arrays["labels"]
    x2, x1 = np.meshgrid(arrays["x2"], arrays["x1"], indexing="ij")
    inside = (p > 1e-4) & (p < 1 - 1e-4)
    if inside.sum() < 10:
        return None
    design: NDArray[Any] = np.stack([x1[inside], x2[inside], np.ones(inside.sum())], axis=1)
    (w1, w2, b), *_ = np.linalg.lstsq(design, np.log(p[inside] / (1 - p[inside])), rcond=None)
    scores = (points[:, 0] * w1 + points[:, 1] * w2 + b) / np.hypot(w1, w2)
    return float((scores * (2 * labels - 1)).min())


def answer(results: Results) -> Answer:
    say = results.say
    accuracy = [run.metrics.get("train/acc") for run in results.runs]
    hits = sum(value == 1.0 for value in accuracy)
    separated = results.counted(say("Both put every point on its side of the line."), hits, len(accuracy))
    tested = results.judge(
        Expectation(
            say("Logistic regression leaves a wider margin than the perceptron."),
            results.of(LOGISTIC, "margin"),
            results.of(PERCEPTRON, "margin"),
            say("The perceptron stops at the first line that makes no error; cross-entropy goes on falling as the "
                "nearest points move away from the line."),
        ),
        Expectation(
            say("Logistic regression needs more epochs than the perceptron to separate the points."),
            results.of(LOGISTIC, "epochs_to_separation"),
            results.of(PERCEPTRON, "epochs_to_separation"),
        ),
    )  # fmt: skip
    return Answer(
        [results.lead("margin"), results.lead("epochs_to_separation")],
        [separated, *tested],
        charts=[results.epochs("train/loss"), results.epochs("train/acc"), *results.boundaries()],
    )
