"""The gradient check's figures: the error of every layer, and how it depends on the step."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from probeta.figures.curves import Curve, line_figure
from probeta.figures.measurements import MeasurementTable
from probeta.figures.style import INK, choose_look, figure, label_axes, legend_below

FLOOR = 1e-16


def gradcheck_figures(table: MeasurementTable) -> dict[str, Figure]:
    figures = {"error_by_layer": layer_figure(table.where(quantity="layer"))}
    steps = table.where(quantity="step")
    if len(steps):
        curves = {}
        for dtype in steps.values("dtype"):
            own = steps.where(dtype=dtype)
            curves[dtype] = Curve(own["step"], np.maximum(own["error"], FLOOR))
        drawn = line_figure(
            "Finite differences against backpropagation: error by step size",
            "step ε", "relative error, all layers", curves, log=True, markers=True,
        )  # fmt: skip
        drawn.axes[0].set_xscale("log")
        figures["error_by_step"] = drawn
    return figures


def layer_figure(table: MeasurementTable) -> Figure:
    """One row per layer: the error over all its parameters and the greatest of a single one, by number format."""
    layers, dtypes = table.values("layer"), table.values("dtype")
    title = "Gradient check: relative error by layer\n(beyond its tolerance and not crossed out: within rounding)"
    drawn, [axes] = figure(title, width=7.2, height=2.6 + 0.28 * len(layers))
    rows = np.arange(len(layers))
    for i, dtype in enumerate(dtypes):
        own, style = table.where(dtype=dtype), choose_look(i)
        at = np.array([layers.index(name) for name in own["layer"]]) + (i - (len(dtypes) - 1) / 2) * 0.28
        error = np.maximum(own["error"], FLOOR)
        # Where no single gradient stands out of the rounding there is no worst parameter to show.
        worst = np.where(own["max_error"] > 0, own["max_error"], np.nan)
        axes.hlines(at, np.minimum(error, worst), np.maximum(error, worst), color=style.colour, linewidth=1.0)
        axes.plot(error, at, style.marker, color=style.colour, markersize=6, label=f"{dtype}: all parameters")
        axes.plot(worst, at, style.marker, color=style.colour, markersize=6, markerfacecolor="white",
                  label=f"{dtype}: worst parameter")  # fmt: skip
        wrong = own["verdict"] == "wrong"
        if wrong.any():
            axes.plot(
                error[wrong], at[wrong], "x", color=INK, markersize=11, markeredgewidth=2, label=f"{dtype}: wrong"
            )
        tolerance = float(own["tolerance"][0])
        axes.axvline(tolerance, color=style.colour, linestyle=style.line, linewidth=1.0, label=f"{dtype}: tolerance")
    axes.set_xscale("log")
    axes.set_yticks(rows, layers, fontsize=9)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    label_axes(axes, "relative error, log scale", "layer")
    legend_below(drawn, columns=len(dtypes))
    return drawn
