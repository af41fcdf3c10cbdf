"""Exercise 10: early stopping, patience × min_delta."""

from __future__ import annotations

from probeta.exercises.quantities import deviations
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Table, text_cell
from probeta.report.claims import Expectation
from probeta.stats.values import Values

PATIENCE, MIN_DELTA = "callbacks.early_stopping.patience", "callbacks.early_stopping.min_delta"

NAMES = {
    "epochs": "epoch at which training stops",
    "best_epoch": "epoch of the weights kept",
    "val/acc": "final validation accuracy",
    PATIENCE: "patience (epochs)",
    MIN_DELTA: "smallest change that counts (min_delta)",
}


def answer(results: Results) -> Answer:
    say, expected = results.say, []
    patience, delta = results.levels(PATIENCE), results.levels(MIN_DELTA)
    if len(patience) > 1:
        short, long = ({PATIENCE: level} for level in (patience[0], patience[-1]))
        words = {"long": patience[-1], "short": patience[0]}
        expected += [
            Expectation(
                say("With patience {long} training stops later than with {short}.", **words),
                results.at("epochs", **long), results.at("epochs", **short),
            ),
            Expectation(
                say("With patience {long} the final validation accuracy is higher than with {short}.", **words),
                results.at("val/acc", **long), results.at("val/acc", **short),
                say("More patience waits through the epochs in which the validation loss rises for a while."),
            ),
            Expectation(
                say("With patience {short} the final validation accuracy varies more between runs than with {long}.",
                    **words),
                spread(results, **short), spread(results, **long),
                say("Where training stops then depends on the first such rise, which is a matter of the seed."),
            ),
        ]  # fmt: skip
    if len(delta) > 1:
        expected.append(
            Expectation(
                say("With min_delta {large} training stops sooner than with {small}.", large=results.number(delta[-1]),
                    small=results.number(delta[0])),
                results.at("epochs", **{MIN_DELTA: delta[0]}), results.at("epochs", **{MIN_DELTA: delta[-1]}),
                say("Small improvements no longer count as such."),
            )
        )  # fmt: skip
    metrics = ("epochs", "val/acc")
    return Answer(
        [results.lead("val/acc"), results.span("epochs")],
        results.judge(*expected),
        [variation(results)],
        [results.grid(results.metric(metric), metric, PATIENCE, MIN_DELTA, 4) for metric in metrics],
    )


def spread(results: Results, **settings: object) -> Values:
    """Each seed's distance from the median of its variant, the mean over the variants with these settings."""
    found: dict[object, list[float]] = {}
    every = []
    for runs in results.by_variant.values():
        if runs[0].settings.items() >= settings.items():
            every.append(deviations(results.of(runs[0].variant, "val/acc")))
            for seed, value in every[-1].items():
                found.setdefault(seed, []).append(value)
    return Values().derive({seed: sum(values) / len(values) for seed, values in found.items()}, *every)


def variation(results: Results) -> Table:
    """How much the runs of a variant differ in where they stop and in what they reach."""
    say = results.say
    rows = [
        [
            text_cell(say(variant)),
            *(results.mean_cell(deviations(results.of(variant, metric))) for metric in ("epochs", "val/acc")),
        ]
        for variant in results.by_variant
    ]
    head = [say("variant"), say("epochs from the median"), say("validation accuracy from the median")]
    hint = say("Mean distance of a run from the median of its variant; the standard deviations are in the table above.")
    return Table(say("Variation between runs"), head, rows, hint)
