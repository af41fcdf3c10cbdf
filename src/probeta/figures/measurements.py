"""`measurements.csv`, the table that a probe leaves: read without torch, told apart by its `probe` column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probeta.runs.reading import read_table
from probeta.stats.intervals import mean_interval

Floats = NDArray[np.float64]


class MeasurementTable:
    """Columns by name: numbers as float64 (NaN where empty), else text."""

    def __init__(self, columns: dict[str, NDArray[Any]]) -> None:
        self.columns = columns

    @classmethod
    def read(cls, path: Path) -> MeasurementTable:
        names, *rows = read_table(path, ("probe",)) or [["probe"]]
        return cls({name: parse_column([row[i] for row in rows]) for i, name in enumerate(names)})

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def where(self, **values: Any) -> MeasurementTable:
        """The rows in which every named column has the given value."""
        keep = np.ones(len(self), dtype=bool)
        for name, value in values.items():
            keep &= self.columns[name] == value
        return MeasurementTable({name: column[keep] for name, column in self.columns.items()})

    def values(self, name: str) -> list[Any]:
        """The different values of a column, in order of appearance."""
        return list(dict.fromkeys(self.columns[name].tolist()))

    def groups(self, by: str, name: str) -> tuple[Floats, list[Floats]]:
        """The values of `name` for each value of the numeric column `by`, which rises."""
        levels = np.unique(self.columns[by])
        return levels, [self.columns[name][self.columns[by] == level] for level in levels]


def parse_column(texts: Sequence[str]) -> NDArray[Any]:
    try:
        return np.array([float(text) if text else np.nan for text in texts], dtype=np.float64)
    except ValueError:
        return np.array(texts, dtype=object)


def geometric(groups: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Geometric mean of each group with its 95 % interval (Student's t of the logarithms).

    Gradient norms spread over orders of magnitude between seeds: an arithmetic mean would be that of the
    largest seed. Zeros (gradients lost to the number format) have no logarithm and are left out.
    """
    means, lows, highs = [], [], []
    for group in groups:
        logs = np.log(group[(group > 0) & np.isfinite(group)])
        interval = mean_interval(logs)
        mean = float(logs.mean()) if len(logs) else np.nan
        means.append(mean)
        lows.append(mean if interval is None else interval.low)
        highs.append(mean if interval is None else interval.high)
    return np.exp(means), np.exp(lows), np.exp(highs)
