"""Exercise 7: backpropagation against finite differences, in float32 and float64."""

from __future__ import annotations

from typing import Any

from probeta.exercises.quantities import measurements
from probeta.exercises.results import Results
from probeta.report.answer import Answer, Chart, Table, text_cell
from probeta.report.charts import lines, points
from probeta.report.claims import Expectation

FORMATS = ("float64", "float32")
NAMES = {
    "max_error/float64": "greatest relative error, float64",
    "max_error/float32": "greatest relative error, float32",
    "wrong_layers": "layers with wrong gradients",
}


def answer(results: Results) -> Answer:
    say, rows = results.say, checks(results)
    right = sum(row["verdict"] == "right" for row in rows if row["dtype"] == "float64")
    claims = [
        results.counted(
            say("In float64 backpropagation agrees with finite differences, in every layer of every net."),
            right, sum(row["dtype"] == "float64" for row in rows),
        ),
        *results.judge(*(coarser(results, variant) for variant in results.by_variant)),
    ]  # fmt: skip
    return Answer(sentences(results, rows), claims, [by_layer(results)], [error_by_step(results)])


def checks(results: Results, variant: str | None = None) -> list[dict[str, Any]]:
    """A row for each layer, format and net."""
    runs = results.runs if variant is None else results.by_variant.get(variant, [])
    return [row for run in runs for row in measurements(run, "gradcheck") if row["quantity"] == "layer"]


def coarser(results: Results, variant: str) -> Expectation:
    return Expectation(
        results.say("{name}: float32 is further off than float64.", name=results.named(variant)),
        results.of(variant, "max_error/float32"),
        results.of(variant, "max_error/float64"),
        # Once is enough.
        results.say(
            "A finite difference subtracts two almost equal losses: what is left has as many digits fewer as they "
            "agree in, and float32 has 7 digits where float64 has 16."
        )
        if variant == next(iter(results.by_variant))
        else "",
        ratio=True,
    )


def sentences(results: Results, rows: list[dict[str, Any]]) -> list[str]:
    say, number, told = results.say, results.number, []
    for dtype in FORMATS:
        own = [row for row in rows if row["dtype"] == dtype and row["max_error"]]
        if own:
            worst = max(own, key=lambda row: float(row["max_error"]))
            numeric, backprop = (number(float(worst[key]), 6) for key in ("numeric", "backprop"))
            told.append(
                say(
                    "{dtype}: over {count} parameters in {layers} layers, the greatest relative error of one parameter "
                    "is {error}, that of {worst} in {layer} (finite difference {numeric}, backpropagation {backprop}).",
                    dtype=dtype, count=sum(int(row["count"]) for row in own), layers=len(own), worst=worst["worst"],
                    error=number(float(worst["max_error"]), 2), layer=worst["layer"], numeric=numeric,
                    backprop=backprop,
                )
            )  # fmt: skip
    return told or [say("No run has completed yet.")]


def by_layer(results: Results) -> Table:
    """Every layer's greatest relative error, over the nets."""
    say = results.say
    rows = []
    for variant in results.by_variant:
        found = checks(results, variant)
        for layer in dict.fromkeys(row["layer"] for row in found):
            own = [row for row in found if row["layer"] == layer and row["max_error"]]
            errors = [[float(row["max_error"]) for row in own if row["dtype"] == dtype] for dtype in FORMATS]
            rows.append(
                [
                    text_cell(say(variant)),
                    text_cell(layer),
                    text_cell(str(max((int(row["count"]) for row in own), default=0))),
                    *(results.mean_cell(values, 2) for values in errors),
                ]
            )
    head = [say("net"), say("layer"), say("parameters"), *(results.metric(f"max_error/{dtype}") for dtype in FORMATS)]
    hint = say("Of one parameter, where its gradient stands out of what rounding alone may add; mean over the nets.")
    return Table(say("Greatest relative error by layer"), head, rows, hint)


def error_by_step(results: Results) -> Chart:
    """The error over all layers against the step of the finite difference, of the first variant."""
    say, series = results.say, {}
    variant = next(iter(results.by_variant), "")
    found = [row for run in results.by_variant.get(variant, []) for row in measurements(run, "gradcheck")]
    for dtype in FORMATS:
        own = [(float(r["step"]), float(r["error"])) for r in found if r["quantity"] == "step" and r["dtype"] == dtype]
        steps = sorted({step for step, error in own if error > 0})
        series[dtype] = points(steps, [[error for s, error in own if s == step and error > 0] for step in steps])
    return lines(
        say("Error against the step of the difference: {name}", name=say(variant)),
        say("step ε"), say("relative error"), series, log_x=True, log_y=True, markers=True,
        hint=say("On the right the difference cuts the curve off (ε²), on the left rounding is divided by ε."),
    )  # fmt: skip
