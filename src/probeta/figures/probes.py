"""The figures of a finished probe, drawn from its `measurements.csv` alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from probeta.figures.bug_hunt import bug_hunt_figures
from probeta.figures.depth import depth_figures
from probeta.figures.gradcheck import gradcheck_figures
from probeta.figures.layers import layers_figures
from probeta.figures.length import length_figures
from probeta.figures.measurements import MeasurementTable
from probeta.figures.state_machine import state_machine_figures
from probeta.figures.style import save

DRAWN: dict[str, Callable[[MeasurementTable], dict[str, Figure]]] = {
    "bug_hunt": bug_hunt_figures,
    "depth": depth_figures,
    "gradcheck": gradcheck_figures,
    "layers": layers_figures,
    "length": length_figures,
    "state_machine": state_machine_figures,
}


def draw_probe(run_dir: Path, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Draw the probe's figures into `figures/`, in each of the `formats`; returns the files."""
    path = run_dir / "measurements.csv"
    if not path.is_file():
        return []
    table = MeasurementTable.read(path)
    figures: dict[str, Figure] = {}
    for probe in table.values("probe"):
        if probe in DRAWN:
            figures |= DRAWN[probe](table.where(probe=probe))
    return [file for name, drawn in figures.items() for file in save(drawn, run_dir / "figures" / name, formats)]
