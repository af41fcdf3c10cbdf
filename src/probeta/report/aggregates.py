"""What the finished runs of a sweep say together, for viewers: each variant's curve, and the verdicts in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from probeta.errors import ConfigError
from probeta.report.charts import align
from probeta.report.language import Language
from probeta.report.markdown import verdicts
from probeta.report.summary import measure, summarise
from probeta.runs.row import RunRow
from probeta.runs.table import SweepRuns, choose_metrics, read_sweep

Points = dict[int, dict[str, float]]
"""Epoch from 0 → `mean`, and `low` and `high` of its 95 % interval where runs have one."""


@dataclass(frozen=True)
class Variant:
    """The completed runs that differ in nothing but their seeds."""

    name: str
    runs: tuple[RunRow, ...]
    curves: dict[str, Points]
    final: dict[str, float]
    """`test/loss/mean` and the like, of the metrics that the runs ended with."""

    def rows(self) -> list[tuple[int, dict[str, float]]]:
        """Epoch from 1 → `val/loss/mean`, `val/loss/low` and the like."""
        rows: dict[int, dict[str, float]] = {}
        for name, points in self.curves.items():
            for epoch, point in points.items():
                rows.setdefault(epoch + 1, {}).update({f"{name}/{end}": value for end, value in point.items()})
        return sorted(rows.items())


@dataclass(frozen=True)
class Aggregates:
    """What an export sends: the runs, what each variant's say together, and what the tests say."""

    sweep: SweepRuns
    variants: list[Variant]
    verdicts: str
    """Markdown; empty where nothing was compared."""

    @property
    def completed(self) -> list[RunRow]:
        return [run for run in self.sweep.runs if run.completed]


def read_aggregates(directory: Path, metrics: Sequence[str] = ()) -> Aggregates:
    """Those of the sweep or run in `directory`, compared by the first of `metrics`.

    Raises `RunDirectoryError` where there are no runs, `ConfigError` where none has finished.
    """
    sweep = read_sweep(directory)
    if not any(run.completed for run in sweep.runs):
        raise ConfigError(f"no run in {directory} has finished")
    choose_metrics(sweep, metrics)
    summary = summarise(sweep)
    found = []
    for group in summary.groups:
        if runs := tuple(run for run in group.runs if run.completed):
            final = {f"{name}/{end}": v for name in summary.metrics for end, v in measure_point(runs, name).items()}
            found.append(Variant(group.variant, runs, aggregate(runs), final))
    return Aggregates(sweep, found, "\n\n".join(verdicts(summary, Language())))


def aggregate(runs: Sequence[RunRow]) -> dict[str, Points]:
    """Metric → what `measure_point` says of the runs' values at each epoch, as `align` has them."""
    curves = [run.curves() for run in runs]
    found: dict[str, Points] = {}
    for name in sorted({name for curve in curves for name in curve}):
        for epoch, values in align([curve.get(name, {}) for curve in curves]).items():
            # The counts of the result are of its final metrics: a curve's value stands by itself.
            at = [replace(runs[i], metrics={name: value}, result={**runs[i].result, "counts": {}})
                  for i, value in sorted(values.items())]  # fmt: skip
            if point := measure_point(at, name):
                found.setdefault(name, {})[epoch] = point
    return found


def measure_point(runs: Sequence[RunRow], metric: str) -> dict[str, float]:
    """`mean`, and `low` and `high` of its 95 % interval where runs have one (`summary.measure`)."""
    measured = measure(runs, metric)
    if measured.mean is None:
        return {}
    interval = measured.interval
    return {"mean": measured.mean, **({"low": interval.low, "high": interval.high} if interval else {})}
