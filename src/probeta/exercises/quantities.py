"""Numbers of a run that several exercises derive from its metrics and curves."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

from probeta.report.runs import Run

Curve = Mapping[int, float]


def generalization_gap(run: Run) -> dict[str, float]:
    """`generalization_gap`: training accuracy minus validation accuracy, of the weights that were kept."""
    train, val = run.metrics.get("train/acc"), run.metrics.get("val/acc")
    return {} if train is None or val is None else {"generalization_gap": train - val}


def epochs_to(curve: Curve, target: float) -> int | None:
    """Epochs (from 1) until the curve first reaches `target` from below; `None` where it never does."""
    return next((epoch + 1 for epoch in sorted(curve) if curve[epoch] >= target), None)


def measurements(run: Run, probe: str) -> list[dict[str, Any]]:
    """The rows of a probe's `measurements.csv`, as text; none where the run has not left any."""
    try:
        with (run.path / "measurements.csv").open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if row["probe"] == probe]
    except OSError:
        return []
