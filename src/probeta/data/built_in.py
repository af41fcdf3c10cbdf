"""The small measured sets that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import datasets

from probeta.data.division import Division
from probeta.data.tabular import Part, Source, Table, TabularData
from probeta.errors import ConfigError

SETS: Mapping[str, Callable[..., Any]] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
}


@dataclass(frozen=True)
class BuiltIn(Source):
    """A set of scikit-learn's, by name, and how it is divided."""

    name: str
    division: Division

    def read(self) -> Table:
        bunch = SETS[self.name](as_frame=True)
        y = bunch.target.to_numpy(np.int64)
        rows = self.division.divide(y)
        parts = {name: Part(bunch.data, y, f"data.name={self.name}", chosen) for name, chosen in rows.items()}
        return Table("target", tuple(map(str, bunch.target_names)), parts)


class BuiltInData(TabularData):
    """One of scikit-learn's sets, split 60/20/20 (or in folds) and stratified.

    Features are standardised by the means and deviations of the training part.

    Args:
        name: `iris` (150 flowers, 4 features, 3 classes; Fisher 1936), `wine` (178, 13, 3), `breast_cancer`
            (569, 30, 2) or `digits` (1,797 handwritten ones of 8 × 8 pixels, 10 classes).
        seed: of the split.
        batch_size: examples in a training batch; null for the full batch.
        folds, fold, limit: as in `probeta.data.division.Division`.
    """

    def __init__(
        self,
        name: str,
        seed: int = 42,
        batch_size: int | None = 32,
        folds: int | None = None,
        fold: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(Division(seed, folds, fold, limit), batch_size)
        if name not in SETS:
            raise ConfigError.unknown("name", name, SETS)
        self.set_name = name

    def source(self) -> BuiltIn:
        return BuiltIn(self.set_name, self.division)
