"""The figures of a finished probe, drawn from its `measurements.csv` alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from probeta.figures.bug_hunt import bug_hunt_figures
from probeta.figures.curvature import curvature_figures
from probeta.figures.depth import depth_figures
from probeta.figures.explained import explained_figures
from probeta.figures.gradcheck import gradcheck_figures
from probeta.figures.landscape import landscape_figures
from probeta.figures.layers import layers_figures
from probeta.figures.length import length_figures
from probeta.figures.measurements import MeasurementTable
from probeta.figures.state_machine import state_machine_figures

DRAWN: dict[str, Callable[[MeasurementTable], dict[str, Figure]]] = {
    "attention": explained_figures,
    "bug_hunt": bug_hunt_figures,
    "curvature": curvature_figures,
    "depth": depth_figures,
    "gradcheck": gradcheck_figures,
    "landscape": landscape_figures,
    "layers": layers_figures,
    "length": length_figures,
    "state_machine": state_machine_figures,
}


def probe_figures(path: Path) -> dict[str, Figure]:
    """The figures of the table `measurements.csv`, by name."""
    table = MeasurementTable.read(path)
    figures: dict[str, Figure] = {}
    for probe in table.values("probe"):
        if probe in DRAWN:
            figures |= DRAWN[probe](table.where(probe=probe))
    return figures
