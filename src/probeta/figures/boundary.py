"""What a classifier of points in the plane has drawn between its classes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from probeta.figures.style import COLOURS, INK, figure, label_axes

Array = NDArray[np.float64]

AXES = (0.11, 0.26, 0.71, 0.65)
BAR = (0.85, 0.31, 0.028, 0.55)
"""Left, bottom, width and height, as fractions of the figure."""


CLASS_MARKERS = ("o", "^", "s", "D", "v", "P", "X")


def colour_of(c: int) -> str:
    """The first two as in earlier figures, then the others of the common colours."""
    return (COLOURS[0], "#a14400", *COLOURS[2:])[c % len(COLOURS)]


def shade_probability(drawn: Figure, axes: Axes, x1: Array, x2: Array, probability: Array) -> None:
    shades = LinearSegmentedColormap.from_list("classes", ["#a9cfe6", "#ffffff", "#f2c19c"])
    image = axes.contourf(x1, x2, probability, levels=np.linspace(0, 1, 21), cmap=shades, vmin=0, vmax=1)
    for level, width, style in ((0.25, 0.7, "dashed"), (0.5, 1.8, "solid"), (0.75, 0.7, "dashed")):
        if probability.min() < level < probability.max():
            axes.contour(x1, x2, probability, levels=[level], colors=INK, linewidths=width, linestyles=style)
    bar = drawn.colorbar(image, cax=drawn.add_axes(BAR), ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.set_label("probability of class 1", fontsize=10, color=INK)


def shade_classes(axes: Axes, x1: Array, x2: Array, predicted: Array) -> None:
    for c in np.unique(predicted):
        inside = (predicted == c).astype(float)
        if inside.min() == 1.0:
            axes.set_facecolor((*to_rgb(colour_of(int(c))), 0.25))
            continue
        axes.contourf(x1, x2, inside, levels=[0.5, 1.5], colors=[colour_of(int(c))], alpha=0.25)
        axes.contour(x1, x2, inside, levels=[0.5], colors=INK, linewidths=1.2)


def boundary_figure(
    title: str,
    x1: Array,
    x2: Array,
    probability: Array,
    points: Array,
    labels: Array,
    split: Array | None = None,
    predicted: Array | None = None,
) -> Figure:
    """`probability (G, G)` of class 1 at `(x1[j], x2[i])`, and `points (N, 2)` with their classes.

    Class 0 is a circle and class 1 a triangle; test points are ringed. The line is where both classes are
    equally probable, thin lines are at a quarter and three quarters. Of more classes, `predicted (G, G)` is the most
    probable one: each has its colour and its marker, and lines are where it changes.
    """
    drawn, [axes] = figure(title, width=6.0, height=4.7)
    # A page shows many of these: finding a layout would draw each twice.
    drawn.set_layout_engine("none")
    axes.set_position(AXES)
    axes.grid(False)
    if predicted is None:
        shade_probability(drawn, axes, x1, x2, probability)
    else:
        shade_classes(axes, x1, x2, predicted)
    held_out = np.zeros(len(labels), dtype=bool) if split is None else np.asarray(split).astype(str) == "test"
    handles = []
    classes = 2 if predicted is None else int(max(labels.max(), predicted.max())) + 1
    for c in range(classes):
        colour, marker = colour_of(c), CLASS_MARKERS[c % len(CLASS_MARKERS)]
        for ringed in (False, True):
            chosen = (labels == c) & (held_out == ringed)
            if not chosen.any():
                continue
            axes.scatter(
                points[chosen, 0], points[chosen, 1], s=22 if ringed else 11, marker=marker, c=colour,
                edgecolors="black" if ringed else "none", linewidths=0.8, alpha=1.0 if ringed else 0.55,
                zorder=3 if ringed else 2,
            )  # fmt: skip
            name = f"class {c}" + (", test" if ringed else ", train and validation" if held_out.any() else "")
            handles.append(
                Line2D([], [], linestyle="", marker=marker, markersize=6 if ringed else 5, markerfacecolor=colour,
                       markeredgecolor="black" if ringed else "none", label=name)
            )  # fmt: skip
    handles.append(
        Line2D([], [], color=INK, linewidth=1.8, label="boundary" + " (probability 0.5)" * (predicted is None))
    )
    axes.set_xlim(float(x1[0]), float(x1[-1]))
    axes.set_ylim(float(x2[0]), float(x2[-1]))
    axes.set_aspect("equal", adjustable="box")
    label_axes(axes, "x₁ (no unit)", "x₂ (no unit)")
    axes.legend(handles=handles, fontsize=8.5, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    return drawn
