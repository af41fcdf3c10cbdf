"""How well each explanation names the source words that a translator needs, and what interventions do to it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from probeta.figures.measurements import MeasurementTable
from probeta.figures.style import choose_look, figure, label_axes

NAMES = {
    "random": "random order", "weight": "attention weight", "value_norm": "weight × norm of value",
    "rollout": "rollout", "gradient": "gradient × input", "integrated": "integrated gradients",
    "left_out": "leave one word out",
}  # fmt: skip


def explained_figures(table: MeasurementTable) -> dict[str, Figure]:
    """Areas under deletion curves by explanation; a word's loss by intervention."""
    area = dict(_values(table.where(quantity="area", kind="all")))
    drop = sorted(_values(table.where(quantity="drop")), key=lambda pair: pair[1])
    areas = [(words, area[name]) for name, words in NAMES.items() if name in area]
    return {
        "explanations": _bars("Probability left as an explanation's words are deleted\n(mean; lower: better words)",
                              "mean probability of the target word", areas),
        "interventions": _bars("What a word loses under interventions on attention",
                               "loss of log p, nats", [pair for pair in drop if pair[0] != "nothing"]),
    }  # fmt: skip


def _values(table: MeasurementTable) -> list[tuple[str, float]]:
    return list(zip(map(str, table["name"]), map(float, table["value"]), strict=True))


def _bars(title: str, unit: str, rows: list[tuple[str, float]]) -> Figure:
    drawn, [axes] = figure(title, width=6.4, height=1.6 + 0.28 * len(rows))
    axes.barh(np.arange(len(rows)), [value for _, value in rows], color=choose_look(0).colour, height=0.7)
    axes.set_yticks(np.arange(len(rows)), [name for name, _ in rows], fontsize=8)
    axes.invert_yaxis()
    label_axes(axes, unit, "")
    return drawn
