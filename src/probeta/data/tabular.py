"""What tables have in common, wherever they come from: classes with names, columns fitted on the training part."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from probeta.data.columns import Column, Columns
from probeta.data.labelled import LabelledData, Split
from probeta.data.spec import PointsSpec

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Part:
    """The rows of one split: a table, which of its rows, and what messages call it."""

    frame: pd.DataFrame
    """Features only; its index numbers the rows of the file."""
    y: NDArray[np.int64]
    """`(N,)` classes of all its rows."""
    origin: str
    rows: NDArray[np.int64] | None = None
    """`None`: all."""

    def take(self) -> tuple[pd.DataFrame, NDArray[np.int64]]:
        return (self.frame, self.y) if self.rows is None else (self.frame.iloc[self.rows], self.y[self.rows])


@dataclass(frozen=True)
class Table:
    """What a source reads: the parts, and what is known of the classes."""

    target: str
    classes: tuple[str, ...]
    parts: Mapping[str, Part]


class Source:
    """Says where a table comes from, hashable: equal sources have equal tables."""

    @abstractmethod
    def read(self) -> Table: ...


Prepared = tuple[Columns, Mapping[str, Split]]


@lru_cache(maxsize=2)
def prepare(source: Source, fill: str) -> Prepared:
    """The splits as tensors. Kept, since a command checks its jobs before it runs them, and jobs share their data."""
    table = source.read()
    part = table.parts["train"]
    train, y = part.take()
    columns = tuple(Column.fit(train[name], fill, part.origin) for name in train.columns)
    counts = tuple(np.bincount(y, minlength=len(table.classes)).tolist())
    fitted = Columns(table.target, table.classes, counts, columns)
    splits = {}
    for name, part in table.parts.items():
        frame, y = part.take()
        splits[name] = Split(torch.from_numpy(fitted.encode(frame, part.origin)), torch.from_numpy(y))
    return fitted, splits


class TabularData(LabelledData):
    """`source()` says where the rows come from; a run keeps how their columns became numbers.

    Args:
        fill: what replaces a missing number, of the training rows: `median` or `mean`.
    """

    fill = "median"

    @abstractmethod
    def source(self) -> Source: ...

    def draw(self) -> Mapping[str, Split]:
        return prepare(self.source(), self.fill)[1]

    @property
    def columns(self) -> Columns:
        """How rows become points."""
        return prepare(self.source(), self.fill)[0]

    def foresee(self) -> PointsSpec:
        return self.columns.spec

    @property
    def spec(self) -> PointsSpec:
        return self.columns.spec

    def save(self, folder: Path) -> None:
        self.columns.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Columns | None:
        return Columns.load(folder)
