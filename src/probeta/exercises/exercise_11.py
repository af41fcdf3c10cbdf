"""Exercise 11: regularisation and calibration, before and after temperature scaling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probeta.exercises.results import Results
from probeta.metrics.calibration import probabilities, reliability
from probeta.report.answer import Answer, Chart
from probeta.report.charts import lines
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow

BASELINE = "baseline"
REGULARISED = ("L2 1e-3", "dropout 0.2", "batch norm")

NAMES = {
    "test/ece": "calibration error (ECE)",
    "test/ece_scaled": "calibration error after temperature scaling",
    "test/temperature": "temperature fitted on validation",
    "test/nll": "negative log-likelihood",
    "test/nll_scaled": "negative log-likelihood after scaling",
}


def answer(results: Results) -> Answer:
    say, of = results.say, results.of
    claims = results.judge(
        *(
            Expectation(
                say("{name} is better calibrated than the baseline.", name=say(name)),
                of(BASELINE, "test/ece"), of(name, "test/ece"),
            )
            for name in REGULARISED
        ),
        *(
            Expectation(
                say("Temperature scaling lowers the calibration error: {name}.", name=say(name)),
                of(name, "test/ece"), of(name, "test/ece_scaled"),
            )
            for name in results.by_variant
        ),
    )  # fmt: skip
    sentences = [results.lead(metric) for metric in ("test/ece", "test/ece_scaled", "test/acc")]
    return Answer(sentences, claims, charts=diagrams(results))


def diagrams(results: Results) -> list[Chart]:
    """Reliability before and after scaling, over the test predictions of all seeds."""
    say = results.say
    titles = (say("Reliability, as predicted"), say("Reliability, after temperature scaling"))
    hint = say("On the dotted line a probability means what it says; below it the model is too sure of itself.")
    x, y = say("confidence"), say("share right")
    return [
        lines(title, x, y, {say(name): diagram(runs, scaled) for name, runs in results.by_variant.items()},
              markers=True, diagonal=True, hint=hint)
        for title, scaled in zip(titles, (False, True), strict=True)
    ]  # fmt: skip


def diagram(runs: Sequence[RunRow], scaled: bool) -> dict[str, Any] | None:
    """Mean confidence and accuracy of each bin, over the test predictions of all `runs`."""
    parts: list[NDArray[np.float64]] = []
    labels: list[NDArray[np.int64]] = []
    for run in runs:
        if (arrays := run.artifacts.read("predictions")) is not None:
            temperature = run.metrics.get("test/temperature") if scaled else 1.0
            parts.append(probabilities(arrays["test_logits"], temperature or 1.0))
            labels.append(arrays["test_y"])
    if not parts:
        return None
    bins = reliability(np.concatenate(parts), np.concatenate(labels))
    full = bins.count >= 5  # a bin of fewer predictions says nothing
    return {"x": bins.confidence[full].round(4).tolist(), "mean": bins.accuracy[full].round(4).tolist()}
