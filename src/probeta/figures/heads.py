"""All heads and layers of a Transformer on one sentence, as a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from probeta.figures.style import INK, SEQUENTIAL, escape_all, figure

KINDS = {
    "encoder": ("Self-attention of the encoder", "source", "source"),
    "decoder": ("Self-attention of the decoder", "target", "inputs"),
    "cross": ("Attention on the source", "target", "source"),
}
"""Which weights: the title, and whose tokens the rows and the columns are."""

READABLE = 40
"""Tokens of both languages together up to which the panels' labels can be read."""


def heads_figure(title: str, rows: Sequence[str], columns: Sequence[str], weights: ArrayLike) -> Figure:
    """`weights (layers, heads, rows, columns)`: one panel per head, one row of panels per layer.

    Raises:
        ValueError: the labels do not match the weights; a row under a wrong label would mislead.
    """
    table = np.asarray(weights, dtype=float)
    layers, heads = table.shape[:2]
    if table.shape[2:] != (len(rows), len(columns)):
        raise ValueError(f"attention weights are {table.shape} for {len(rows)} rows and {len(columns)} columns")
    panel = (max(1.7, 0.2 * len(columns)), max(1.5, 0.2 * len(rows)))
    drawn, panels = figure(title, layers, heads, width=1.6 + heads * panel[0], height=1.4 + layers * panel[1])
    image = None
    for i, axes in enumerate(panels):
        layer, head = divmod(i, heads)
        axes.grid(False)
        image = axes.imshow(table[layer, head], cmap=SEQUENTIAL, vmin=0.0, vmax=1.0, aspect="auto")
        axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=8, color=INK)
        axes.set_xticks(
            range(len(columns)), escape_all(columns) if layer == layers - 1 else [], rotation=90, fontsize=7
        )
        axes.set_yticks(range(len(rows)), escape_all(rows) if head == 0 else [], fontsize=7)
    if image is not None:
        drawn.colorbar(image, ax=panels, pad=0.01, shrink=0.6).set_label("attention weight", fontsize=9, color=INK)
    return drawn


def head_figures(sentences: Sequence[Mapping[str, Any]]) -> dict[str, Figure]:
    """The three kinds of attention on a short sentence of validation, out of a run's `attention_maps`."""
    if not sentences:
        return {}
    # A long sentence makes unreadable panels: the first that is short, of validation where there is one.
    sentence = min(sentences, key=lambda s: (len(s["source"]) + len(s["target"]) > READABLE, s["split"] != "val"))
    return {
        f"heads_{kind}": heads_figure(title, sentence[rows], sentence[columns], sentence[kind])
        for kind, (title, rows, columns) in KINDS.items()
        if sentence[kind]
    }
