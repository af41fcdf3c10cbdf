"""The loss around a net's weights: along lines, and as contours of planes with the path that training took."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from probeta.figures.measurements import MeasurementTable
from probeta.figures.style import COLOURS, INK, SEQUENTIAL, choose_look, figure, label_axes

Array = NDArray[np.float64]

LEVELS = 18
"""Contours from the lowest to the highest loss, spaced by equal factors."""

UNIT = "times the length of the weights' filters"


def landscape_figures(table: MeasurementTable) -> dict[str, Figure]:
    """Of a probe: the lines of all nets, the plane of the first one, and the plane of a run's path."""
    figures = {"lines": lines_figure(table.where(plane="line"))}
    seed = table.values("seed")[0]
    figures["plane"] = plane_figure(f"Loss in a random plane (seed {seed:.0f})", *read_plane(table, "random", seed))
    if len(path := table.where(plane="trajectory")):
        shares = table.where(plane="share")["loss"]
        figures["path"] = plane_figure(
            "Loss in the plane of the path",
            *read_plane(table, "path", seed),
            np.stack([path["a"], path["b"]], 1),
            shares,
        )
    return figures


def artifact_figures(arrays: dict[str, Any]) -> dict[str, Figure]:
    """Of a run's artifact `landscape`."""
    figures = {"landscape": plane_figure("Loss in a random plane", *(arrays[n] for n in ("a", "b", "loss")))}
    if "path_loss" in arrays:
        drawn = [arrays[f"path_{name}"] for name in ("a", "b", "loss", "at", "shares")]
        figures["landscape_path"] = plane_figure("Loss in the plane of the path", *drawn)
    return figures


def read_plane(table: MeasurementTable, plane: str, seed: float) -> tuple[Array, Array, Array]:
    own = table.where(plane=plane, seed=seed)
    a, b = np.unique(own["a"]), np.unique(own["b"])
    return a, b, own["loss"].reshape(len(b), len(a))


def lines_figure(table: MeasurementTable) -> Figure:
    seeds = table.values("seed")
    drawn, [axes] = figure("Loss along random directions" + f" ({len(seeds)} nets)" * (len(seeds) > 1))
    for seed in seeds:
        own = table.where(seed=seed)
        axes.plot(own["a"], own["loss"], color=choose_look(0).colour, linewidth=1.0, alpha=0.7)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_yscale("log")
    label_axes(axes, f"distance from the weights, {UNIT}", "loss, log scale")
    return drawn


def plane_figure(
    title: str, a: Array, b: Array, loss: Array, path: Array | None = None, shares: Array | None = None
) -> Figure:
    """`loss (B, A)` at `(a[j], b[i])`; a `path (E, 2)` with its beginning, and the weights that were kept at (0, 0)."""
    drawn, [axes] = figure(title, width=6.0, height=4.9)
    axes.grid(False)
    low, high = max(float(loss.min()), 1e-12), float(loss.max())
    levels = np.geomspace(low * 0.999, max(high, low * 1.001) * 1.001, LEVELS + 1)
    shown = np.maximum(loss, low)
    image = axes.contourf(a, b, shown, levels=levels, cmap=SEQUENTIAL, norm="log")
    axes.contour(a, b, shown, levels=levels, colors="white", linewidths=0.4, alpha=0.6)
    bar = drawn.colorbar(image, ax=axes, ticks=levels[::3])
    bar.set_label("loss, log scale", fontsize=10, color=INK)
    if path is None:
        label_axes(axes, f"first direction, {UNIT}", "second direction, likewise")
        axes.set_aspect("equal")
    else:
        draw_path(axes, path)
        told = ["", ""] if shares is None else [f" ({share:.0%} of the variance)" for share in shares]
        label_axes(axes, f"first principal direction{told[0]}", f"second{told[1]}")
    axes.plot(0, 0, "*", color=COLOURS[4], markeredgecolor="black", markersize=13, label="weights kept")
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside lower center", fontsize=9, frameon=False, ncols=3)
    return drawn


def draw_path(axes: Axes, path: Array) -> None:
    axes.plot(path[:, 0], path[:, 1], "-", color="white", linewidth=3.2)
    axes.plot(path[:, 0], path[:, 1], "-o", color=COLOURS[1], linewidth=1.4, markersize=2.6, label="path")
    axes.plot(*path[0], "s", color="white", markeredgecolor="black", markersize=8, label="beginning")
