"""Numbers of a run that several exercises derive from its metrics and curves."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from probeta.runs.row import RunRow
from probeta.stats.values import Values

Curve = Mapping[int, float]

TARGET = 0.95
"""Validation accuracy that nets are timed to."""


def generalization_gap(run: RunRow) -> dict[str, float]:
    """`generalization_gap`: training accuracy minus validation accuracy, of the weights that were kept."""
    train, val = run.value("train/acc"), run.value("val/acc")
    return {} if train is None or val is None else {"generalization_gap": float(train - val)}


def epochs_to(curve: Curve, target: float) -> int | None:
    """Epochs (from 1) until the curve first reaches `target` from below; `None` where it never does."""
    return next((epoch + 1 for epoch in sorted(curve) if curve[epoch] >= target), None)


def measurements(run: RunRow, probe: str) -> list[dict[str, Any]]:
    """The rows of a probe's `measurements.csv`, as text; none where the run has not left any."""
    return [row for row in run.measurements if row["probe"] == probe]


def curve_of(run: RunRow, metric: str) -> dict[int, float]:
    """Epoch (from 0) → value; empty where the run has not logged the metric."""
    return run.curves({metric}).get(metric, {})


def epochs_to_target(run: RunRow) -> dict[str, float]:
    """`epochs_to_target`: epochs until the validation accuracy reaches `TARGET`; the run's length where it never does,
    which is then too small a number (`reached_target` 0 says so).
    """
    curve = curve_of(run, "val/acc")
    if not curve:
        return {}
    reached = epochs_to(curve, TARGET)
    return {"epochs_to_target": float(reached or max(curve) + 1), "reached_target": float(reached is not None)}


def mean_of(curve: Curve, first: int, last: int) -> float | None:
    """Mean over the epochs `first` to `last`, the last one excluded."""
    values = [value for epoch, value in curve.items() if first <= epoch < last]
    return sum(values) / len(values) if values else None


def deviations(values: Values) -> Values:
    """Each run's distance from the median of its variant: their means compare spreads (Brown & Forsythe 1974)."""
    middle = median(values.values()) if values else 0.0
    return values.derive({key: abs(value - middle) for key, value in values.items()})
