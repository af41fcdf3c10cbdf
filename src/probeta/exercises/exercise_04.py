"""Exercise 4: the gradient norm of every layer while an MLP learns."""

from __future__ import annotations

import statistics

from probeta.exercises.quantities import mean_of
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Table, text_cell
from probeta.report.charts import band, lines
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow
from probeta.stats.values import Values

LAYERS = {
    "hidden.0.linear": "first hidden layer",
    "hidden.1.linear": "second hidden layer",
    "hidden.2.linear": "third hidden layer",
    "output": "output layer",
}
PHASES = {"early": "first tenth of the epochs", "middle": "middle", "late": "last tenth of the epochs"}

NAMES: dict[str, str] = {}


def derive(run: RunRow) -> dict[str, float]:
    """`early/<layer>`, `middle/<layer>`, `late/<layer>`: mean gradient norm over that part of the epochs."""
    curves = run.curves({f"grad_norm/{layer}" for layer in (*LAYERS, "total")})
    found: dict[str, float] = {}
    for metric, curve in curves.items():
        epochs = max(curve) + 1
        tenth = max(1, epochs // 10)
        for phase, (first, last) in parts(epochs, tenth).items():
            if (mean := mean_of(curve, first, last)) is not None:
                found[f"{phase}/{metric.removeprefix('grad_norm/')}"] = mean
    return found


def parts(epochs: int, tenth: int) -> dict[str, tuple[int, int]]:
    middle = (epochs - tenth) // 2
    return {"early": (0, tenth), "middle": (middle, middle + tenth), "late": (epochs - tenth, epochs)}


def answer(results: Results) -> Answer:
    say = results.say
    sentences = [dominating(results, phase) for phase in PHASES]
    claims = results.judge(
        Expectation(
            say("At first the output layer's gradient is larger than the first hidden layer's."),
            results.at("early/output"), results.at("early/hidden.0.linear"),
            say("The error arrives at the output first; each layer below sees it through the weights in between, "
                "which are small at the start."),
            ratio=True,
        ),
        Expectation(
            say("The gradient of all layers together is smaller at the end than at first."),
            results.at("early/total"), results.at("late/total"),
            say("Near a minimum all gradients vanish, not those of one layer."), ratio=True,
        ),
        Expectation(
            say("The first hidden layer's share of the gradient is greater at the end than at first."),
            share(results, "late"), share(results, "early"), ratio=True,
        ),
    )  # fmt: skip
    runs = results.runs
    curves = {say(name): band(results.curves(runs, f"grad_norm/{layer}")) for layer, name in LAYERS.items()}
    chart = lines(say("Gradient norm of each layer"), say("epoch"), say("gradient norm"), curves, log_y=True)
    return Answer(sentences, claims, [by_phase(results)], [chart])


def share(results: Results, phase: str) -> Values:
    """The first hidden layer's norm over that of all layers."""
    own, total = results.at(f"{phase}/hidden.0.linear"), results.at(f"{phase}/total")
    return own.derive({key: own[key] / total[key] for key in own if total.get(key)}, total)


def dominating(results: Results, phase: str) -> str:
    """Which layer has the greatest mean gradient norm in a phase, and in how many of the runs."""
    say, runs = results.say, [run for run in results.runs if f"{phase}/output" in run.metrics]
    if not runs:
        return say("{phase}: nothing was recorded.", phase=say(PHASES[phase]).capitalize())
    known = [layer for layer in LAYERS if all(f"{phase}/{layer}" in run.metrics for run in runs)]
    norms = {layer: [float(run.metrics[f"{phase}/{layer}"] or 0.0) for run in runs] for layer in known}
    first = max(known, key=lambda layer: statistics.fmean(norms[layer]))
    wins = sum(norms[first][i] == max(norms[layer][i] for layer in known) for i in range(len(runs)))
    return say(
        "{phase}: the greatest gradient norm is that of the {layer}, {norm} on average; it is the greatest in {wins} "
        "of {n} runs.",
        phase=say(PHASES[phase]).capitalize(), layer=say(LAYERS[first]),
        norm=results.number(statistics.fmean(norms[first])), wins=wins, n=len(runs),
    )  # fmt: skip


def by_phase(results: Results) -> Table:
    say = results.say
    rows = [
        [text_cell(say(name)), *(results.mean_cell(results.at(f"{phase}/{layer}")) for phase in PHASES)]
        for layer, name in LAYERS.items()
        if results.at(f"early/{layer}")
    ]
    head = [say("layer"), *(say(name) for name in PHASES.values())]
    return Table(say("Mean gradient norm by layer and part of the training"), head, rows)
