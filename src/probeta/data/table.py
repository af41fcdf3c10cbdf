"""A table of your own: CSV, TSV or Parquet, with one column of classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probeta.data import aligned_files
from probeta.data.division import Division
from probeta.data.given import KEPT_FOLDER, copy_given
from probeta.data.table_file import check_features, read_table
from probeta.data.tabular import Part, Source, Table, TabularData
from probeta.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "val", "test")
MOST_CLASSES = 100
FEWEST = 5
"""Rows of a class, where they are divided by shares: each part is to have one."""

Names = tuple[str, ...]


def find_classes(path: Path, target: str, values: pd.Series[Any]) -> Names:
    """The classes of a column; `DataError` where a row has none, or there are too many or too few."""
    import pandas as pd

    where = f"{path}, column {target!r}"
    if (gone := values.isna()).any():
        raise DataError(f"{path}, row {gone.index[gone][0]}, column {target!r}: the class is missing")
    names = list(values.unique())
    numbers = pd.to_numeric(pd.Series(names), errors="coerce")
    if len(names) > MOST_CLASSES:
        kind = "numbers" if numbers.notna().all() else "classes"
        raise DataError(f"{where}: {len(names):,} different {kind}, at most {MOST_CLASSES} classes are accepted")
    if len(names) < 2:
        raise DataError(f"{where}: every row is of class {names[0]!r}")
    order = numbers.argsort(kind="stable") if numbers.notna().all() else np.argsort(np.array(names, dtype=object))
    return tuple(names[i] for i in order)


def number_classes(path: Path, target: str, values: pd.Series[Any], classes: Names) -> NDArray[np.int64]:
    import pandas as pd

    codes = pd.Categorical(values, categories=list(classes)).codes.astype(np.int64)
    if (codes < 0).any():
        place = int(np.argmax(codes < 0))
        row, value = values.index[place], values.iloc[place]
        told = "the class is missing" if pd.isna(value) else f"class {value!r} is in no training row"
        raise DataError(f"{path}, row {row}, column {target!r}: {told}")
    return codes


@dataclass(frozen=True)
class Files(Source):
    """One file, or three, as the configuration names them. `stamps` change when a file does."""

    paths: tuple[Path, ...]
    stamps: tuple[tuple[int, int], ...]
    target: str
    features: Names | None
    drop: Names
    categorical: Names
    split: str | None
    shares: tuple[float, ...]
    division: Division

    def read(self) -> Table:
        from pandas.api.types import is_numeric_dtype

        if len(self.paths) == 1:
            return self._read_one(self.paths[0])
        frames = [read_table(self.paths[0], self.categorical, self.target)]
        features = self._features(self.paths[0], frames[0])
        check_features(self.paths[0], frames[0][features])
        texts = [name for name in features if not is_numeric_dtype(frames[0][name].dtype)]
        frames += [read_table(path, texts, self.target) for path in self.paths[1:]]
        for path, frame in zip(self.paths, frames, strict=True):
            if lacking := [name for name in (self.target, *features) if name not in frame.columns]:
                raise DataError(f"{path} has no column {lacking[0]!r}, as {self.paths[0]} has")
        classes = find_classes(self.paths[0], self.target, frames[0][self.target])
        return Table(self.target, classes, {
            name: Part(frame[features], number_classes(path, self.target, frame[self.target], classes), str(path))
            for name, path, frame in zip(SPLITS, self.paths, frames, strict=True)
        })  # fmt: skip

    def _read_one(self, path: Path) -> Table:
        frame = read_table(path, [*self.categorical, *([self.split] if self.split else [])], self.target)
        features = self._features(path, frame)
        check_features(path, frame[features])
        if self.split is None:
            classes = find_classes(path, self.target, frame[self.target])
            y = number_classes(path, self.target, frame[self.target], classes)
            rarest = int(np.argmin(counts := np.bincount(y)))
            if counts[rarest] < FEWEST:
                told = f"{path}, column {self.target!r}: class {classes[rarest]!r} has {counts[rarest]} rows"
                raise DataError(f"{told}, from {FEWEST} on they are divided; or say how in a data.split")
            rows = self.division.divide(y, self.shares)
        else:
            rows = self._rows_by_column(path, frame[self.split])
            train = frame[self.target].iloc[rows["train"]]
            classes = find_classes(path, self.target, train)
            y = number_classes(path, self.target, frame[self.target], classes)
        parts = {name: Part(frame[features], y, str(path), chosen) for name, chosen in rows.items()}
        for name in features:
            if frame[name].iloc[rows["train"]].isna().all():
                raise DataError(f"{path}, column {name!r}: no value in training; data.drop=[{name}] leaves it out")
        return Table(self.target, classes, parts)

    def _rows_by_column(self, path: Path, values: pd.Series[Any]) -> dict[str, NDArray[np.int64]]:
        wrong = ~values.isin(SPLITS)
        if wrong.any():
            row = values.index[wrong][0]
            told = f"{path}, row {row}, column {self.split!r}: {values[row]!r}"
            raise DataError(f"{told} is no split: train, val or test")
        rows = {name: np.flatnonzero(values == name) for name in SPLITS}
        if empty := [name for name in SPLITS if not len(rows[name])]:
            raise DataError(f"{path}, column {self.split!r}: no row is of {empty[0]}")
        return rows

    def _features(self, path: Path, frame: pd.DataFrame) -> list[str]:
        """The columns that are learned from, in the file's order; `ConfigError` names one that there is not."""
        named = {"target": (self.target,), "features": self.features or (), "drop": self.drop,
                 "categorical": self.categorical}  # fmt: skip
        for key, names in {**named, "split": (self.split,) if self.split else ()}.items():
            for name in names:
                if name not in frame.columns:
                    raise ConfigError.unknown(f"column data.{key}", name, map(str, frame.columns))
        apart = {self.target, self.split, *self.drop}
        if self.features is not None and (twice := [name for name in self.features if name in apart]):
            raise ConfigError(f"data.features names {twice[0]!r}, which is the target, the split or dropped")
        features = [n for n in frame.columns if n not in apart and (self.features is None or n in self.features)]
        if not features:
            raise DataError(f"{path} has no column beside {', '.join(map(repr, sorted(filter(None, apart))))}")
        return features


class TableData(TabularData):
    """Rows of a file: numbers are standardised, texts become one feature for each of their values (one-hot).

    Imputer, scaler and encoder are scikit-learn's, fitted on the training rows alone; the run keeps what they found in
    `artifacts/columns.json`. A number that is missing is replaced by `fill`, and where training rows lack some a
    further feature says so; a missing text is none of the known ones.

    Args:
        path: a `.csv`, `.tsv` or `.parquet` file; with `val` and `test` beside it, the training rows alone.
        target: the column of the classes, 2 to 100 of them.
        features: the columns to learn from; null for all others.
        drop: columns not to learn from.
        categorical: columns that are text whatever they look like: codes that are written in digits.
        split: a column that says `train`, `val` or `test`; null: by `shares`.
        val: a file of the validation rows, null without.
        test: a file of the test rows, null without.
        shares: of training, validation and test, drawn by `seed` and stratified by class.
        fill: what replaces a missing number: the training rows' `median` or `mean`.
        seed: of the split.
        batch_size: rows in a training batch; null for the full batch.
        folds, fold, limit: as in `probeta.data.division.Division`.
    """

    located = ("path", "val", "test")

    def __init__(
        self,
        path: str,
        target: str,
        features: list[str] | None = None,
        drop: list[str] | None = None,
        categorical: list[str] | None = None,
        split: str | None = None,
        val: str | None = None,
        test: str | None = None,
        shares: Sequence[float] = (0.6, 0.2, 0.2),
        fill: str = "median",
        seed: int = 42,
        batch_size: int | None = 64,
        folds: int | None = None,
        fold: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(Division(seed, folds, fold, limit), batch_size)
        if fill not in ("median", "mean"):
            raise ConfigError.value("fill", fill, "median or mean")
        if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
            raise ConfigError.value("shares", list(shares), "three numbers above 0 whose sum is 1")
        given = [split is not None, val is not None or test is not None, folds is not None]
        if (val is None) != (test is None) or sum(given) > 1 or (limit is not None and (given[0] or given[1])):
            raise ConfigError(
                "data: one of split (a column), val with test (files), folds; limit only without the first two"
            )
        self.path = str(Path(path).expanduser().absolute())
        self.val, self.test = (None if p is None else str(Path(p).expanduser().absolute()) for p in (val, test))
        self.target, self.features, self.drop = target, features, drop or []
        self.categorical = categorical or []
        self.split_column, self.shares, self.fill = split, tuple(shares), fill

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(Path(p) for p in (self.path, self.val, self.test) if p is not None)

    def files(self) -> tuple[Path, ...]:
        for key, path in zip(("path", "val", "test"), self.paths, strict=False):
            if not path.is_file():
                raise DataError(f"data.{key}={path} does not exist")
        return self.paths

    def source(self) -> Files:
        stats = [path.stat() for path in self.files()]
        stamps = tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)
        features = None if self.features is None else tuple(self.features)
        return Files(self.paths, stamps, self.target, features, tuple(self.drop), tuple(self.categorical),
                     self.split_column, self.shares, self.division)  # fmt: skip

    def fingerprint(self) -> str:
        return aligned_files.sha256(self.files())

    def sha256(self) -> str:
        return self.fingerprint()

    def record(self, folder: Path) -> dict[str, str]:
        if Path(self.path).parent.name == KEPT_FOLDER:  # handed over in Python
            return {"path": copy_given(Path(self.path), folder)}
        return {key: str(value) for key in self.located if (value := getattr(self, key)) is not None}
