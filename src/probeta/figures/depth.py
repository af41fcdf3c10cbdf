"""The depth probe's figures: the gradient that arrives at the input, and how it got there."""

from __future__ import annotations

from matplotlib.figure import Figure

from probeta.figures.curves import Curve, line_figure
from probeta.figures.measurements import MeasurementTable, geometric

INTERVAL = "geometric mean, 95 % interval over seeds"


def depth_figures(table: MeasurementTable) -> dict[str, Figure]:
    seeds = len(table.values("seed"))
    deepest = max(table.values("depth"))
    by_depth, by_layer = {}, {}
    for activation in table.values("activation"):
        own = table.where(activation=activation)
        x, groups = own.where(layer=0.0).groups("depth", "gradient_norm")
        by_depth[activation] = Curve(x, *geometric(groups))
        x, groups = own.where(depth=deepest).groups("layer", "gradient_norm")
        by_layer[activation] = Curve(x, *geometric(groups))
    note = f"({INTERVAL}, n = {seeds})"
    return {
        "gradient_by_depth": line_figure(
            f"Gradient at the input against depth\n{note}",
            "depth (layers)", "‖∂L/∂x‖₂", by_depth, markers=True,
        ),
        "gradient_by_layer": line_figure(
            f"Gradient at every layer of the deepest net ({deepest:.0f} layers)\n{note}",
            "layer (0: the input)", "‖∂L/∂h‖₂", by_layer,
        ),
    }  # fmt: skip
