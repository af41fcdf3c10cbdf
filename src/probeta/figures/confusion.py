"""Which classes are taken for which: the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from probeta.figures.style import INK, SEQUENTIAL, escape_all, figure, label_axes

MOST_NUMBERS = 20
"""Classes until which each cell shows its count."""
LONGEST = 16
"""Characters of a class's name."""


def confusion_figure(title: str, y: NDArray[Any], predicted: NDArray[Any], names: Sequence[str]) -> Figure:
    """Rows are true classes `y (N,)`, columns `predicted (N,)`: counts, shaded by their share of the row."""
    classes = len(names)
    counts = np.bincount(y * classes + predicted, minlength=classes**2).reshape(classes, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(3.2 + 0.38 * classes, 12.0)
    drawn, [axes] = figure(title, width=side + 0.8, height=side)
    axes.grid(False)
    image = axes.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
    if classes <= MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = INK if shares[row, column] > 0.6 else "white"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8.5, color=colour)
    step = -(-classes // 30)
    shown = escape_all(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names[::step])
    turned = max(map(len, shown)) * classes > 60
    axes.set_xticks(range(0, classes, step), shown, rotation=90 if turned else 0)
    axes.set_yticks(range(0, classes, step), shown)
    label_axes(axes, "predicted class", "true class")
    bar = drawn.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("share of the true class", fontsize=10, color=INK)
    return drawn
