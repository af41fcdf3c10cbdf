"""The length probe's figures: what the recurrent weight sees, and what really arrives from how far."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from probeta.figures.curves import Curve, draw_lines, line_figure
from probeta.figures.measurements import Floats, MeasurementTable, geometric
from probeta.figures.style import INK, choose_look, figure, label_axes, legend


def length_figures(table: MeasurementTable) -> dict[str, Figure]:
    seeds = len([s for s in table.values("seed") if np.isfinite(s)])
    note = f"(geometric mean, 95 % interval over seeds, n = {seeds})"
    weight = {}
    for cell in table.values("cell"):
        x, groups = table.where(cell=cell, quantity="weight_gradient").groups("length", "value")
        weight[cell] = Curve(x, *geometric(groups))
    return {
        "weight_gradient_by_length": line_figure(
            f"Gradient of the recurrent weight against length\n{note}",
            "length T (steps)", "‖∂L/∂W‖ of the recurrent weight", weight, markers=True,
        ),
        "state_gradient_by_distance": distance_figure(table, note),
    }  # fmt: skip


def distance_figure(table: MeasurementTable, note: str) -> Figure:
    """‖∂L/∂h_t‖ against the distance, one panel per cell, with the fitted line and, for the tanh net, the bound."""
    cells = table.values("cell")
    drawn, panels = figure(
        f"Gradient at the state k steps before the loss\n{note}",
        columns=len(cells), width=max(5.2, 3.4 * len(cells)), height=4.9, sharey=True,
    )  # fmt: skip
    lowest, highest = np.inf, 0.0
    for i, (axes, cell) in enumerate(zip(panels, cells, strict=True)):
        own = table.where(cell=cell)
        x, groups = own.where(quantity="state_gradient").groups("distance", "value")
        mean, low, high = geometric(groups)
        curves = {"‖∂L/∂h‖": Curve(x, mean, low, high)}
        memory = own.where(quantity="memory_gradient")
        if len(memory):
            x_c, groups_c = memory.groups("distance", "value")
            curves["‖∂L/∂c‖ (cell state)"] = Curve(x_c, *geometric(groups_c))
        draw_lines(axes, curves)
        rate = median_over_seeds(own, "rate")
        there = np.isfinite(mean) & (mean > 0)
        start = np.exp(np.mean(np.log(mean[there]) - x[there] * np.log(rate)))
        axes.plot(x, start * rate**x, color=INK, linewidth=1.0, linestyle=":", label=f"fit: {rate:.3f} per step")
        bound = own.where(quantity="bound")
        if len(bound):
            style = choose_look(3)
            x_b, groups_b = bound.groups("distance", "value")
            axes.plot(x_b, geometric(groups_b)[0], color=style.colour, linestyle=style.line, linewidth=1.4,
                      label="bound: $\\sigma_{max}^k\\,$‖∂L/∂$h_T$‖")  # fmt: skip
        axes.set_yscale("log")
        matrix = "recurrent matrix" if cell == "rnn" else "candidate's matrix"
        usable = mean[there]
        lowest, highest = min(lowest, usable.min()), max(highest, usable.max())
        label_axes(axes, "distance k (steps)", "gradient norm, log scale" if i == 0 else "",
              f"{cell}\n{matrix}:\nρ = {median_over_seeds(own, 'spectral_radius'):.2f}, "
              f"σₘₐₓ = {median_over_seeds(own, 'largest_singular'):.2f}")  # fmt: skip
        legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    # The bound may leave the page: what was measured sets the scale.
    panels[0].set_ylim(lowest / 10, min(highest * 1e3, highest**2 / lowest * 10))
    return drawn


def median_over_seeds(table: MeasurementTable, quantity: str) -> float:
    """The median over seeds."""
    values: Floats = table.where(quantity=quantity)["value"]
    return float(np.nanmedian(values)) if len(values) else float("nan")
