"""What a classifier of points in the plane has drawn between its classes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from probeta.figures.style import COLOURS, INK, METADATA, escape_mathtext, figure, label_axes, own_settings, typeset

Array = NDArray[np.float64]

AXES = (0.11, 0.26, 0.71, 0.65)
BAR = (0.85, 0.31, 0.028, 0.55)
"""Left, bottom, width and height, as fractions of the figure."""


AXES_NAMES = ("x₁ (no unit)", "x₂ (no unit)")
CLASS_MARKERS = ("o", "^", "s", "D", "v", "P", "X")


def colour_of(c: int) -> str:
    """The first two as in earlier figures, then the others of the common colours."""
    return (COLOURS[0], "#a14400", *COLOURS[2:])[c % len(COLOURS)]


def shade(axes: Axes, x1: Array, x2: Array, probability: Array, predicted: Array | None) -> ContourSet | None:
    """What one model says of the plane: the probability of class 1 (which is returned), or the most probable class."""
    if predicted is not None:
        shade_classes(axes, x1, x2, predicted)
        return None
    shades = LinearSegmentedColormap.from_list("classes", ["#a9cfe6", "#ffffff", "#f2c19c"])
    for level, width, style in ((0.25, 0.7, "dashed"), (0.5, 1.8, "solid"), (0.75, 0.7, "dashed")):
        if probability.min() < level < probability.max():
            axes.contour(x1, x2, probability, levels=[level], colors=INK, linewidths=width, linestyles=style)
    return axes.contourf(x1, x2, probability, levels=np.linspace(0, 1, 21), cmap=shades, vmin=0, vmax=1)


def shade_classes(axes: Axes, x1: Array, x2: Array, predicted: Array) -> None:
    for c in np.unique(predicted):
        inside = (predicted == c).astype(float)
        axes.contourf(x1, x2, inside, levels=[0.5, 1.5], colors=[colour_of(int(c))], alpha=0.25)
        if inside.min() < 1:
            axes.contour(x1, x2, inside, levels=[0.5], colors=INK, linewidths=1.2)


def count_classes(labels: Array, predicted: Array | None) -> int:
    return 2 if predicted is None else int(max(labels.max(), predicted.max())) + 1


def boundary_figure(
    title: str,
    x1: Array,
    x2: Array,
    probability: Array,
    points: Array,
    labels: Array,
    split: Array | None = None,
    predicted: Array | None = None,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = (),
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
    classes = count_classes(labels, predicted)
    names = [escape_mathtext(f"class {name}") for name in (class_names if len(class_names) else range(classes))]
    if (image := shade(axes, x1, x2, probability, predicted)) is not None:
        bar = drawn.colorbar(image, cax=drawn.add_axes(BAR), ticks=[0, 0.25, 0.5, 0.75, 1])
        bar.set_label(f"probability of {names[1]}", fontsize=10, color=INK)
    held_out = np.zeros(len(labels), dtype=bool) if split is None else np.asarray(split).astype(str) == "test"
    handles = []
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
            name = names[c] + (", test" if ringed else ", train and validation" if held_out.any() else "")
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
    first, second = [f"{escape_mathtext(name)} (standardised)" for name in feature_names] or AXES_NAMES
    label_axes(axes, first, second)
    axes.legend(handles=handles, fontsize=8.5, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    return drawn


def order_of_drawing(artist: Artist) -> tuple[float, bool]:
    """As in `boundary_figure`, where the shades are added before the points."""
    return artist.get_zorder(), not isinstance(artist, ContourSet)


class BoundaryPictures:
    """The boundaries of several runs as PNG images. What surrounds a boundary (axes, legend, colour bar) takes several
    times as long to draw as what differs between runs: it is drawn once for all that share their points."""

    def __init__(self, title: str, dpi: int) -> None:
        self.title, self.dpi = title, dpi
        self._shared: list[Any] = []
        self._canvas: FigureCanvasAgg
        self._frame: Any = None

    def png(
        self, x1: Array, x2: Array, probability: Array, points: Array, labels: Array, split: Array | None = None,
        predicted: Array | None = None, **names: Sequence[str],
    ) -> bytes:  # fmt: skip
        """As `boundary_figure`."""
        arrays = [None if a is None else a.tobytes() for a in (x1, x2, points, labels, split)]
        told = {key: list(name) for key, name in names.items()}
        shared = [predicted is None, count_classes(labels, predicted), told, *arrays]
        with own_settings():
            if shared != self._shared:
                drawn = boundary_figure(self.title, x1, x2, probability, points, labels, split, predicted, **names)
                self._draw_frame(drawn)
                self._shared = shared
            canvas, axes = self._canvas, self._canvas.figure.axes[0]
            for shades in [one for one in axes.collections if isinstance(one, ContourSet)]:
                shades.remove()
            shade(axes, x1, x2, probability, predicted)
            canvas.restore_region(self._frame)
            for artist in sorted([*axes.collections, *axes.spines.values()], key=order_of_drawing):
                axes.draw_artist(artist)
            content = io.BytesIO()
            imsave(content, canvas.buffer_rgba(), format="png", dpi=self.dpi, metadata=METADATA["png"])
            return content.getvalue()

    def _draw_frame(self, drawn: Figure) -> None:
        drawn.set_dpi(self.dpi)
        self._canvas = FigureCanvasAgg(typeset(drawn))
        for artist in [*drawn.axes[0].collections, *drawn.axes[0].spines.values()]:
            artist.set_animated(True)
        self._canvas.draw()
        self._frame = self._canvas.copy_from_bbox(drawn.bbox)
