"""Lines over epochs or sizes, with bands for uncertainty; a heat map where there are too many lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from probeta.figures.style import FAINT, INK, SEQUENTIAL, choose_look, figure, label_axes, legend

LOG_SPAN = 30.0
MOST_LINES = 7


class Curve(NamedTuple):
    """A line, and the band around it if there is one."""

    x: ArrayLike
    y: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None


def needs_log(values: NDArray[np.float64]) -> bool:
    """Whether positive values span so much that a linear axis would flatten most of them."""
    usable = values[np.isfinite(values)]
    return bool(len(usable) and usable.min() > 0 and usable.max() / usable.min() > LOG_SPAN)


def draw_lines(axes: Axes, curves: Mapping[str, Curve], markers: bool = False) -> None:
    """Each curve in a look of its own, markers sparse where points are dense."""
    for i, (name, curve) in enumerate(curves.items()):
        style = choose_look(i)
        x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
        every = 1 if markers else max(1, len(x) // 8)
        axes.plot(
            x, y, color=style.colour, linestyle=style.line, marker=style.marker, markersize=4.5, linewidth=1.6,
            markevery=every if markers else (i * every // max(1, len(curves)), every), label=name,
        )  # fmt: skip
        if curve.low is not None and curve.high is not None:
            axes.fill_between(
                x, np.asarray(curve.low), np.asarray(curve.high), color=style.colour, alpha=0.18, linewidth=0
            )


def line_figure(
    title: str,
    x_label: str,
    y_label: str,
    curves: Mapping[str, Curve],
    *,
    log: bool | None = None,
    markers: bool = False,
) -> Figure:
    """Curves in one panel; the axis is logarithmic where `log` says so or, if `None`, where the values need it."""
    drawn, [axes] = figure(title)
    draw_lines(axes, curves, markers)
    values = np.concatenate([np.asarray(c.y, dtype=float).ravel() for c in curves.values()])
    if log or (log is None and needs_log(values)):
        axes.set_yscale("log")
        y_label += ", log scale"
    elif len(values) and np.nanmin(values) >= 0:
        # What cannot be negative is not drawn from below 0, nor are zeros alone.
        axes.set_ylim(max(0.0, axes.get_ylim()[0]), None if np.nanmax(values) > 0 else 1.0)
    label_axes(axes, x_label, y_label)
    if len(curves) > 1:
        legend(axes)
    return drawn


def mark_best(drawn: Figure, x: float, text: str) -> None:
    """A thin line at the epoch whose weights were kept."""
    axes = drawn.axes[0]
    axes.axvline(x, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), label=text)
    legend(axes)


def layers_figure(title: str, x_label: str, y_label: str, layers: Mapping[str, Curve], total: Curve | None) -> Figure:
    """One quantity of every layer: lines while they can be told apart, else rows of a heat map."""
    if len(layers) <= MOST_LINES:
        drawn = line_figure(title, x_label, y_label, layers)
        if total is not None:
            axes = drawn.axes[0]
            axes.plot(total.x, total.y, color=FAINT, linewidth=3.5, zorder=0, label="all layers together")
            legend(axes)
        return drawn
    drawn, [axes] = figure(title, width=7.5, height=1.6 + 0.24 * len(layers))
    table = np.array([np.asarray(curve.y, dtype=float) for curve in layers.values()])
    positive = table[table > 0]
    norm = LogNorm(positive.min(), max(positive.max(), positive.min() * 1.01)) if len(positive) else None
    x = np.asarray(next(iter(layers.values())).x, dtype=float)
    image = axes.pcolormesh(x, np.arange(len(layers)), np.ma.masked_less_equal(table, 0), cmap=SEQUENTIAL, norm=norm)
    axes.grid(False)
    axes.set_yticks(range(len(layers)), list(layers), fontsize=8)
    axes.invert_yaxis()
    drawn.colorbar(image, ax=axes, label=f"{y_label}, log scale", pad=0.02)
    label_axes(axes, x_label, "layer, from input (top) to output")
    return drawn
