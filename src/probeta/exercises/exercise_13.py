"""Exercise 13: cosine decay with and without warm-up."""

from __future__ import annotations

from itertools import pairwise

from probeta.exercises.quantities import curve_of, mean_of
from probeta.exercises.results import Results
from probeta.report.answer import Answer
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow

PEAKS = (0.003, 0.1)
PLAIN, WARM = "cosine, peak {}", "warm-up and cosine, peak {}"
EARLY = 0.1
"""The share of the epochs that counts as early: warm-up takes half of it."""

NAMES = {
    "early_rise": "early instability (sum of the loss's rises, first tenth of the epochs)",
    "early_loss": "early loss (mean over the first tenth of the epochs)",
    "train/loss": "final training loss",
    "val/acc": "final validation accuracy",
}


def derive(run: RunRow) -> dict[str, float]:
    loss = curve_of(run, "train/loss")
    if not loss:
        return {}
    last = max(2, round(EARLY * (max(loss) + 1)))
    values = [loss[epoch] for epoch in sorted(loss) if epoch < last]
    mean = mean_of(loss, 0, last)
    return {
        "early_rise": sum(max(0.0, b - a) for a, b in pairwise(values)),
        **({} if mean is None else {"early_loss": mean}),
    }


def answer(results: Results) -> Answer:
    say, expected = results.say, []
    for peak in PEAKS:
        of = {m: (results.of(WARM.format(peak), m), results.of(PLAIN.format(peak), m)) for m in NAMES}
        rate = results.number(peak)
        expected += [
            Expectation(
                say("With a peak rate of {rate}, warm-up makes the first epochs steadier.", rate=rate),
                of["early_rise"][1], of["early_rise"][0],
                say("Adam's first steps are as long as the rate allows, whatever the gradient's size: small ones go "
                    "less astray."),
            ),
            Expectation(
                say("With a peak rate of {rate}, warm-up costs early progress (a greater early loss).", rate=rate),
                of["early_loss"][0], of["early_loss"][1],
                say("Its first steps are too small to get far."),
            ),
            Expectation(
                say("With a peak rate of {rate}, warm-up ends with the smaller training loss.", rate=rate),
                of["train/loss"][1], of["train/loss"][0],
            ),
            Expectation(
                say("With a peak rate of {rate}, warm-up ends with the higher validation accuracy.", rate=rate),
                of["val/acc"][0], of["val/acc"][1],
            ),
        ]  # fmt: skip
    charts = [results.epochs("lr"), results.epochs("train/loss", log_y=True)]
    sentences = [results.lead(metric) for metric in ("early_rise", "early_loss", "val/acc")]
    return Answer(sentences, results.judge(*expected), charts=charts)
