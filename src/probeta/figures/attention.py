"""Which source words a translation attended to, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from probeta.figures.style import INK, SEQUENTIAL, escape_all, escape_mathtext, figure, label_axes
from probeta.runs.artifacts import rests_on_end

GOLD = "#ff4b33"
"""Seen on every shade of the weights."""

RESTS = "each word looked most at <eos>, where the encoder\nhas read the whole sentence: no alignment"


def attention_figure(
    title: str,
    source: Sequence[str],
    hypothesis: Sequence[str],
    weights: ArrayLike,
    reference: Sequence[str] | None = None,
    gold: Sequence[Sequence[int]] | None = None,
) -> Figure:
    """`weights (T, S)`: a row for each produced token (its `<eos>` included), a column for each source token.

    `gold` links, `[source, target, sure]`, are framed: dashed where they are only possible.

    Raises:
        ValueError: the labels do not match the weights; a row under a wrong label would mislead.
    """
    table = np.asarray(weights, dtype=float)
    if table.shape != (len(hypothesis), len(source)):
        raise ValueError(
            f"attention weights are {table.shape} for {len(hypothesis)} produced and {len(source)} source tokens"
        )
    drawn, [axes] = figure(
        title, width=max(4.2, 2.2 + 0.55 * len(source)), height=max(2.8, 1.7 + 0.36 * len(hypothesis))
    )
    axes.grid(False)
    image = axes.imshow(table, cmap=SEQUENTIAL, vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xticks(range(len(source)), escape_all(source), rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(range(len(hypothesis)), escape_all(hypothesis), fontsize=9)
    if table.size <= 400:
        for (row, column), weight in np.ndenumerate(table):
            if weight >= 0.05:
                ink = "white" if weight < 0.55 else "black"
                axes.text(column, row, f"{weight:.2f}", ha="center", va="center", fontsize=7, color=ink)
    for column, row, sure in gold or ():
        line = "-" if sure else (0, (2, 1.5))
        axes.add_patch(
            Rectangle(
                (column - 0.44, row - 0.42), 0.88, 0.84, fill=False, edgecolor=GOLD, linewidth=1.6, linestyle=line
            )
        )
    drawn.colorbar(image, ax=axes, pad=0.02).set_label("attention weight", fontsize=10, color=INK)
    note = "" if reference is None else f"\nreference: {escape_mathtext(' '.join(reference))}"
    note += "\nframed: gold alignment" if gold else ""
    note += f"\n{RESTS}" if rests_on_end(source, table.tolist()) else ""
    label_axes(axes, f"source token{note}", "produced token")
    return drawn
