"""The gradient at the output of every module of a model, from the input to the loss."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from probeta.figures.measurements import MeasurementTable, geometric
from probeta.figures.style import choose_look, figure, label_axes


def layers_figures(table: MeasurementTable) -> dict[str, Figure]:
    outputs = table.where(quantity="output")
    modules, seeds = outputs.values("module"), len(outputs.values("seed"))
    mean, low, high = geometric([outputs.where(module=name)["gradient_norm"] for name in modules])
    drawn, [axes] = figure(
        f"Gradient at every module's output, in order of computation\n(geometric mean, 95 % interval, n = {seeds})",
        width=7.2, height=1.8 + 0.24 * len(modules),
    )  # fmt: skip
    style, rows = choose_look(0), np.arange(len(modules))
    axes.errorbar(
        mean, rows, xerr=np.maximum([mean - low, high - mean], 0), fmt=style.marker, color=style.colour, markersize=5,
        capsize=3,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yticks(rows, modules, fontsize=8)
    axes.set_ylim(len(modules) - 0.5, -0.5)
    label_axes(axes, "‖∂L/∂output‖₂, log scale", "module")
    return {"gradient_by_module": drawn}
