"""The spectrum of a Hessian: how its eigenvalues are spread, and where the extremes of each net lie."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from probeta.figures.measurements import MeasurementTable
from probeta.figures.style import INK, choose_look, figure, label_axes, legend

POINTS = 1001


MATRICES = {"hessian": "Hessian", "gauss_newton": "Gauss–Newton matrix"}


def curvature_figures(table: MeasurementTable) -> dict[str, Figure]:
    """The density of each matrix, smoothed by a Gaussian of a hundredth of its width, and every net's extremes."""
    found = {matrix: table.where(matrix=matrix) for matrix in MATRICES}
    names = {"hessian": "spectrum", "gauss_newton": "spectrum_gauss_newton"}
    return {names[m]: spectrum_figure(MATRICES[m], rows) for m, rows in found.items() if len(rows)}


def spectrum_figure(matrix: str, table: MeasurementTable) -> Figure:
    density = table.where(quantity="density")
    values, weights = density["value"], density["weight"]
    nets = len(density.values("seed"))
    low, high = float(values.min()), float(values.max())
    width = max((high - low) / 100, 1e-12)
    grid = np.linspace(low - 3 * width, high + 3 * width, POINTS)
    kernel = np.exp(-0.5 * ((grid[:, None] - values[None]) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    over = f" (mean over {nets} nets)" if nets > 1 else ""
    drawn, [axes] = figure(f"Spectral density of the {matrix}{over}", width=7.2)
    smooth, bottom = kernel @ weights / nets, 1e-4
    axes.plot(grid, np.maximum(smooth, bottom / 10), color=choose_look(0).colour, linewidth=1.4)
    for i, (name, words) in enumerate({"smallest": "smallest eigenvalues", "largest": "largest eigenvalues"}.items()):
        style = choose_look(i + 1)
        extremes = table.where(quantity=name)["value"]
        if not len(extremes):
            continue  # a Gauss–Newton matrix has no eigenvalue below 0
        axes.plot(
            extremes, np.full(len(extremes), bottom * 2), style.marker, color=style.colour, markersize=5, label=words
        )
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_yscale("log")
    axes.set_ylim(bottom, 3 * max(float(smooth.max()), bottom))
    label_axes(axes, "eigenvalue", "density, log scale")
    legend(axes)
    return drawn
