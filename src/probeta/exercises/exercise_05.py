"""Exercise 5: ReLU against tanh and sigmoid: gradients, saturation, time to a target."""

from __future__ import annotations

import statistics

from probeta.exercises.quantities import epochs_to_target
from probeta.exercises.results import Results
from probeta.report.answer import Answer
from probeta.report.charts import band, lines
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow

RELU, TANH, SIGMOID = "ReLU", "tanh", "sigmoid"

NAMES = {
    "epochs_to_target": "epochs to 95 % validation accuracy (all epochs where it is never reached)",
    "reached_target": "share of runs that reach it",
    "mean_grad_norm": "gradient norm, mean over the epochs",
    "first_layer_share": "first hidden layer's gradient over the output layer's, first epoch",
    "saturated_share": "share of saturated units, mean over the epochs",
    "grad_norm/hidden.0.linear": "gradient norm, first hidden layer",
    "saturated/hidden.0": "share of saturated units, first hidden layer",
    "saturated/hidden.2": "share of saturated units, last hidden layer",
}


def derive(run: RunRow) -> dict[str, float]:
    curves = run.curves()
    found = epochs_to_target(run)
    if total := curves.get("grad_norm/total"):
        found["mean_grad_norm"] = statistics.fmean(total.values())
    first, last = curves.get("grad_norm/hidden.0.linear", {}), curves.get("grad_norm/output", {})
    if first.get(0) and last.get(0):
        found["first_layer_share"] = first[0] / last[0]
    saturated = [curve for name, curve in curves.items() if name.startswith("saturated/")]
    if saturated:
        found["saturated_share"] = statistics.fmean(statistics.fmean(curve.values()) for curve in saturated)
    return found


def answer(results: Results) -> Answer:
    say, of = results.say, results.of
    because = say("Going back, the gradient is multiplied by the slope of every activation on its way: at most 1/4 for "
                  "a sigmoid, 1 for tanh and only around 0, 1 for every unit that a ReLU lets through.")  # fmt: skip
    claims = results.judge(
        *(
            Expectation(
                say("At the first epoch, less of the gradient reaches the first hidden layer with {name} than with "
                    "ReLU.", name=say(name)),
                of(RELU, "first_layer_share"), of(name, "first_layer_share"), because, ratio=True,
            )
            for name in (TANH, SIGMOID)
        ),
        *(
            Expectation(
                say("With {name} it takes longer to reach 95 % validation accuracy than with ReLU.", name=say(name)),
                of(name, "epochs_to_target"), of(RELU, "epochs_to_target"),
            )
            for name in (TANH, SIGMOID)
        ),
        Expectation(
            say("More units are saturated with tanh than with sigmoid."),
            of(TANH, "saturated_share"), of(SIGMOID, "saturated_share"),
            say("The sigmoids stay where they are steep: what they pass back is small because their steepest slope is "
                "1/4, not because they are flat."),
        ),
    )  # fmt: skip
    sentences = [results.lead("epochs_to_target"), results.span("mean_grad_norm"), results.span("saturated_share")]
    reached = {name: list(of(name, "reached_target").values()) for name in results.by_variant}
    never = [
        say("{name}: {n} of {total} runs never reach 95 % validation accuracy.", name=say(name), n=values.count(0.0),
            total=len(values))
        for name, values in reached.items()
        if 0.0 in values
    ]  # fmt: skip
    charts = [results.epochs(metric, log_y=True) for metric in ("grad_norm/total", "grad_norm/hidden.0.linear")]
    flat = {say(name): band(flatness(runs)) for name, runs in results.by_variant.items()}
    hint = say(
        "Saturated: the slope is below 5 % of the steepest; a ReLU's flat half is no saturation, so of ReLUs those "
        "units count that are 0 at every point of the epoch."
    )
    title, share = say("Saturated units, mean over the hidden layers"), say("share of the units")
    charts += [lines(title, say("epoch"), share, flat, hint=hint), results.epochs("val/acc")]
    return Answer([*sentences, *never], claims, charts=charts)


def flatness(runs: list[RunRow]) -> list[dict[int, float]]:
    """Epoch → share of saturated units, the mean over the hidden layers, of each run."""
    found = []
    for run in runs:
        layers = [curve for name, curve in run.curves().items() if name.startswith("saturated/")]
        if layers:
            found.append({epoch: statistics.fmean(c[epoch] for c in layers if epoch in c) for epoch in layers[0]})
    return found
