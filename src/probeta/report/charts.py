"""Charts of an answer, as data for the page's script: lines with bands, heat maps, bars, decision boundaries."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from probeta.report.answer import Chart
from probeta.report.summary import MetricSummary

POINTS = 200
"""Points of a curve: a wider screen shows no more."""


def align(curves: Sequence[Mapping[int, float]], *, keep: bool = True) -> dict[int, dict[int, float]]:
    """Epoch → position of a curve → its value there, for every epoch of any curve.

    Where `keep`, a run that early stopping ended sooner keeps its last value: a mean of those that go on would be one
    of survivors. The last value of one that diverged says nothing.
    """
    last: dict[int, float] = {}
    found = {}
    for epoch in sorted({epoch for curve in curves for epoch in curve}):
        last = (last if keep else {}) | {i: curve[epoch] for i, curve in enumerate(curves) if epoch in curve}
        found[epoch] = last
    return found


def band(curves: Sequence[Mapping[int, float]], *, keep: bool = True) -> dict[str, Any] | None:
    """Mean, lowest and highest over the runs at each epoch, as `align` has them: the curves' keys count from 0, as
    files do, `x` from 1.
    """
    values = align(curves, keep=keep)
    epochs = list(values)
    if len(epochs) < 2:
        return None
    step = math.ceil(len(epochs) / POINTS)
    kept = epochs[::step] if (len(epochs) - 1) % step == 0 else [*epochs[::step], epochs[-1]]
    rows = [list(values[epoch].values()) for epoch in kept]
    spans = [(sum(row) / len(row), min(row), max(row)) for row in rows]
    return series([epoch + 1 for epoch in kept], spans, len(curves))


def series(x: Sequence[float], spans: Sequence[tuple[float, float, float]], runs: int) -> dict[str, Any]:
    """A line with a band: at each `x` its mean, low and high, over at most so many `runs`."""
    sides = {name: [short(span[i]) for span in spans] for i, name in enumerate(("mean", "low", "high"))}
    return {"x": list(x), **sides, "runs": runs}


def means(x: Sequence[float], found: Sequence[MetricSummary]) -> dict[str, Any]:
    """A series of means over seeds, each of which there is, with the ends of their intervals."""
    spans = [(m.mean or 0.0, *(m.ends or (m.mean or 0.0, m.mean or 0.0))) for m in found]
    return series(x, spans, max(m.n for m in found))


def lines(
    title: str,
    x: str,
    y: str,
    drawn: Mapping[str, dict[str, Any] | None],
    *,
    log_x: bool = False,
    log_y: bool = False,
    markers: bool = False,
    diagonal: bool = False,
    hint: str = "",
) -> Chart:
    """One line for each of `drawn` (a `series`, or `x` and `mean` alone); what is `None` is left out."""
    kept = [{"name": name, **values} for name, values in drawn.items() if values is not None]
    data = {
        "kind": "lines", "x": x, "y": y, "series": kept, "logX": log_x, "logY": log_y, "markers": markers,
        "diagonal": diagonal,
    }  # fmt: skip
    return Chart(title, data, hint)


def points(at: Sequence[float], samples: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A series of means over seeds at each place, with lowest and highest."""
    there = [(x, list(s)) for x, s in zip(at, samples, strict=True) if s]
    spans = [(sum(s) / len(s), min(s), max(s)) for _, s in there]
    return series([x for x, _ in there], spans, max((len(s) for _, s in there), default=0))


def heat(
    title: str,
    x: str,
    y: str,
    columns: Sequence[str],
    rows: Sequence[str],
    values: Sequence[Sequence[float | None]],
    texts: Sequence[Sequence[str]],
    unit: str,
    hint: str = "",
) -> Chart:
    """A cell for each of `rows` and `columns`, with its number written in it."""
    z = [[None if v is None else short(v) for v in row] for row in values]
    data = {
        "kind": "heat", "x": x, "y": y, "columns": list(columns), "rows": list(rows), "z": z,
        "texts": [list(row) for row in texts], "unit": unit,
    }  # fmt: skip
    return Chart(title, data, hint)


def bars(title: str, x: str, rows: Sequence[tuple[str, float, float, float]], hint: str = "") -> Chart:
    """A bar for each of `rows`: its name, its length and the ends of its interval."""
    data = {"kind": "bars", "x": x, "rows": [[name, *map(short, numbers)] for name, *numbers in rows]}
    return Chart(title, data, hint)


def boundary(title: str, arrays: Mapping[str, Any], unit: str, classes: Sequence[str], most: int = 60) -> Chart:
    """A run's artifact `boundary`: the probability of class 1 in the plane, and the points by class."""
    step = max(1, math.ceil(len(arrays["x1"]) / most))
    probability = arrays["probability"][::step, ::step]
    labels = arrays["labels"]
    groups = [
        {"name": name, "x": _rounded(arrays["points"][labels == c, 0]), "y": _rounded(arrays["points"][labels == c, 1])}
        for c, name in enumerate(classes)
    ]
    data = {
        "kind": "boundary", "x1": _rounded(arrays["x1"][::step]), "x2": _rounded(arrays["x2"][::step]),
        "z": [_rounded(row) for row in probability], "groups": groups, "unit": unit,
    }  # fmt: skip
    return Chart(title, data)


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 3) for v in values]


def short(value: float) -> float:
    return float(f"{value:.5g}")
