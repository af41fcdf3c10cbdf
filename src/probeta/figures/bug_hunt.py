"""The bug hunt's figure: what the gradient check saw of each bug in each layer."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from probeta.figures.measurements import MeasurementTable
from probeta.figures.style import SEQUENTIAL, figure, label_axes

FLOOR = 1e-16


def bug_hunt_figures(table: MeasurementTable) -> dict[str, Figure]:
    """Rows are the broken layers, columns the bugs; a cell says which layer the check named."""
    bugs = [bug for bug in table.values("bug") if bug != "none"]
    broken = [layer for layer in table.values("layer") if layer]
    title = "Bugs put into a layer: the gradient check's error, and the layer it names"
    drawn, [axes] = figure(title, width=2.4 + 1.9 * len(bugs), height=1.8 + 0.55 * len(broken))
    errors = np.full((len(broken), len(bugs)), FLOOR)
    for j, bug in enumerate(bugs):
        own = table.where(bug=bug)
        for layer, error, named in zip(own["layer"], own["error"], own["named"], strict=True):
            i = broken.index(layer)
            errors[i, j] = max(float(error), FLOOR)
            axes.text(j, i, str(named) or "not found", ha="center", va="center", fontsize=8,
                      bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5})  # fmt: skip
    image = axes.imshow(errors, cmap=SEQUENTIAL, norm=LogNorm(FLOOR, 1.0), aspect="auto")
    axes.grid(False)
    axes.set_xticks(range(len(bugs)), bugs)
    axes.set_yticks(range(len(broken)), broken)
    drawn.colorbar(image, ax=axes, label="greatest relative error of a layer, log scale", pad=0.02)
    label_axes(axes, "bug", "broken layer")
    return {"bugs_by_layer": drawn}
