"""Columns of a table as the numbers that a net reads: fitted on training rows, kept as JSON, applied to any rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probeta.data.spec import PointsSpec
from probeta.errors import DataError
from probeta.runs.artifacts import Artifacts
from probeta.runs.reading import Damaged

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

NAME = "columns"
"""Of the artifact."""


@dataclass(frozen=True)
class Column:
    """One column of the table; of a number `fill`, `mean` and `scale` are used, of a text `values`."""

    name: str
    missing: bool
    """Whether training rows lack it: then a feature of its own is 1 where it is missing, as for one that is known."""
    values: tuple[str, ...] | None = None
    """What a text can be, a feature each (one-hot); another one is none of them."""
    fill: float = 0.0
    """What stands where a number is missing."""
    mean: float = 0.0
    scale: float = 1.0

    @property
    def features(self) -> list[str]:
        known = [self.name] if self.values is None else [f"{self.name}={value}" for value in self.values]
        return [*known, *([f"{self.name} missing"] if self.missing else [])]

    @classmethod
    def fit(cls, values: pd.Series[Any], fill: str, origin: str) -> Column:
        """By scikit-learn's imputer, scaler and one-hot encoder; `values` are the training rows', at least one of
        them present, `fill` is the imputer's strategy, `origin` the file that a number that is not finite is in."""
        from pandas.api.types import is_numeric_dtype
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        there, name = values.notna(), str(values.name)
        missing = not bool(there.all())
        if not is_numeric_dtype(values.dtype):
            encoder = OneHotEncoder().fit(values[there].astype(str).to_numpy(dtype=object)[:, None])
            return cls(name, missing, tuple(map(str, encoder.categories_[0])))
        numbers = to_numbers(values, origin)[:, None]
        imputer = SimpleImputer(strategy=fill).fit(numbers)
        scaler = StandardScaler().fit(imputer.transform(numbers))
        return cls(name, missing, None, *(float(v[0]) for v in (imputer.statistics_, scaler.mean_, scaler.scale_)))

    def encode(self, values: pd.Series[Any], origin: str) -> Iterator[NDArray[Any]]:
        """Each of `features`, `(N,)`; the index of `values` numbers the rows of the file `origin`."""
        gone = values.isna().to_numpy()
        if self.values is None:
            numbers = to_numbers(values, origin)
            yield (np.where(gone, self.fill, numbers) - self.mean) / self.scale
        else:
            texts = values.astype(str).to_numpy(dtype=object)
            known = np.zeros(len(texts), dtype=bool)
            for value in self.values:
                yield (same := ~gone & (texts == value))
                known |= same
            if (unseen := np.flatnonzero(~known & ~gone)).size:
                row, text = values.index[unseen[0]], texts[unseen[0]]
                log.warning(
                    "%s, row %s, column %r: %r was not seen in training: it is none of the %d known values (%d rows)",
                    origin, row, self.name, text, len(self.values), unseen.size,
                )  # fmt: skip
        if self.missing:
            yield gone


def to_numbers(values: pd.Series[Any], origin: str) -> NDArray[np.float64]:
    """NaN where one is missing; `DataError` names the first row that is no finite number."""
    import pandas as pd

    numbers = np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan))
    wrong = np.isinf(numbers) | (np.isnan(numbers) & values.notna().to_numpy())
    if wrong.any():
        place = int(np.argmax(wrong))
        row, value = values.index[place], values.iloc[place]
        raise DataError(f"{origin}, row {row}, column {str(values.name)!r}: {value!s} is not a finite number")
    return numbers


@dataclass(frozen=True)
class Columns:
    """What is known of a table when its training rows have been seen."""

    target: str
    """The column of the classes."""
    classes: tuple[str, ...]
    """Their names; numbers in their own order, texts in that of the alphabet."""
    counts: tuple[int, ...]
    """Training rows of each class."""
    columns: tuple[Column, ...]

    @property
    def spec(self) -> PointsSpec:
        features = tuple(name for column in self.columns for name in column.features)
        return PointsSpec(len(features), len(self.classes), self.counts, self.classes, features)

    def encode(self, frame: pd.DataFrame, origin: str) -> NDArray[np.float32]:
        """`frame`, with at least these columns → `(N, in_features)`, a column at a time into one array."""
        if lacking := [c.name for c in self.columns if c.name not in frame.columns]:
            raise DataError(f"{origin} has no column {lacking[0]!r}, which the model reads")
        encoded = np.empty((len(frame), self.spec.in_features), dtype=np.float32)
        place = 0
        for column in self.columns:
            for feature in column.encode(frame[column.name], origin):
                encoded[:, place] = feature
                place += 1
        return encoded

    def encode_points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points `(N, in_features)` in the units of the table's columns, all of them numbers → what the net reads."""
        if any(column.values is not None or column.missing for column in self.columns):
            raise DataError("this run reads a table with texts or missing values: hand it rows, not numbers")
        means, scales = (np.array([getattr(column, key) for column in self.columns]) for key in ("mean", "scale"))
        scaled: NDArray[np.float64] = (points - means) / scales
        return scaled

    @property
    def texts(self) -> list[str]:
        """The columns that are text, whatever their values look like."""
        return [column.name for column in self.columns if column.values is not None]

    def save(self, folder: Path) -> None:
        """Write the artifact into `folder`."""
        Artifacts(folder).write({NAME: asdict(self)})

    @classmethod
    def load(cls, folder: Path) -> Columns | None:
        """What `save` wrote, `None` where it wrote nothing; `Damaged` where it is something else: data, never code."""
        artifacts = Artifacts(folder)
        content = artifacts.read(NAME)
        if content is None:
            return None
        try:
            columns = [_read_column(column) for column in content["columns"]]
            classes, counts = _texts(content["classes"]), tuple(int(n) for n in content["counts"])
            if len(classes) < 2 or len(counts) != len(classes):
                raise ValueError(f"{len(classes)} classes, {len(counts)} counts")
            return cls(str(content["target"]), classes, counts, tuple(columns))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = f"it does not say how columns become numbers ({type(error).__name__}: {error})"
            raise Damaged(artifacts.path(NAME), why) from None


def _read_column(column: dict[str, Any]) -> Column:
    values = column["values"]
    numbers = [float(column[key]) for key in ("fill", "mean", "scale")]
    if not np.isfinite(numbers).all() or numbers[2] == 0:
        raise ValueError(f"fill, mean and scale of {column['name']!r} are {numbers}")
    return Column(str(column["name"]), bool(column["missing"]), None if values is None else _texts(values), *numbers)


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} is no list of texts")
    return tuple(values)
