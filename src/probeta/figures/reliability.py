"""Confidence against accuracy (DeGroot & Fienberg 1983): on the diagonal a probability means what it says."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from probeta.figures.style import INK, choose_look, figure, label_axes, legend
from probeta.metrics.calibration import Reliability


def reliability_figure(title: str, diagrams: Mapping[str, Reliability]) -> Figure:
    """One line for each of the `diagrams` (before and after scaling, say); below, the predictions in each bin."""
    drawn, [top, bottom] = figure(title, rows=2, width=5.6, height=5.6, sharex=True, height_ratios=[3, 1])
    top.plot([0, 1], [0, 1], color=INK, linewidth=1.0, linestyle=(0, (2, 2)), label="perfectly calibrated")
    for i, (name, bins) in enumerate(diagrams.items()):
        style, full = choose_look(i), bins.count > 0
        top.plot(
            bins.confidence[full], bins.accuracy[full], color=style.colour, linestyle=style.line, marker=style.marker,
            markersize=5, linewidth=1.6, label=f"{name}: ECE {bins.error:.4f}",
        )  # fmt: skip
        bottom.stairs(bins.count, bins.edges, color=style.colour, linestyle=style.line, linewidth=1.6, label=name)
    top.set_xlim(0, 1)
    top.set_ylim(-0.02, 1.02)
    label_axes(top, "", "accuracy (share right)")
    label_axes(bottom, "confidence (probability of the predicted class)", "predictions")
    bottom.set_yscale("symlog", linthresh=1)
    bottom.set_ylim(bottom=0)
    legend(top, loc="lower right")
    return drawn
