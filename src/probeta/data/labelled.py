"""What the datasets with one class per example share: splits in memory, no downloads, no workers."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probeta.data.batches import LabelledBatches
from probeta.data.datamodule import DataModule
from probeta.data.division import Division
from probeta.data.spec import DataSpec
from probeta.errors import check_whole_or_null


class Split(NamedTuple):
    """Examples and their classes."""

    x: Tensor
    """`(N, …)` float32."""
    y: Tensor
    """`(N,)` int64."""


class LabelledData(DataModule):
    """`draw()` makes the splits `train`, `val`, `test`; everything else is here.

    `shuffle_seed` is the run's seed (see `open`), apart from the `seed` that says what the data are.

    Args:
        division: how `draw` divides the examples, or the seed alone where it divides them by itself. The seed is what
            the data are drawn by.
        batch_size: examples in a training batch; null for the full batch.
    """

    def __init__(self, division: Division | int, batch_size: int | None) -> None:
        super().__init__()
        division = Division(division) if isinstance(division, int) else division
        self.division, self.seed = division, division.seed
        self.batch_size = check_whole_or_null("batch_size", batch_size, meaning="for the full batch")
        self.splits: Mapping[str, Split] = {}

    @abstractmethod
    def draw(self) -> Mapping[str, Split]: ...

    @property
    @abstractmethod
    def spec(self) -> DataSpec:
        """What a model must know; available after `setup`."""

    def setup(self, stage: str | None = None) -> None:
        if not self.splits:
            self.splits = self.draw()
            self.train = self.batches("train", shuffle_seed=self.shuffle_seed)

    def batches(self, split: str, *, shuffle_seed: int | None = None) -> LabelledBatches:
        """The batches of `split`: shuffled and cut into mini-batches with a `shuffle_seed`, else one batch."""
        x, y = self.splits[split]
        return LabelledBatches(x, y, None if shuffle_seed is None else self.batch_size, shuffle_seed)

    def to(self, dtype: torch.dtype) -> None:
        """Inputs in the run's precision: double precision is not single precision padded with zeros."""
        self.splits = {name: Split(x.to(dtype), y) for name, (x, y) in self.splits.items()}
        self.train = self.batches("train", shuffle_seed=self.shuffle_seed)

    def train_dataloader(self) -> LabelledBatches:
        return self.train

    def val_dataloader(self) -> LabelledBatches:
        return self.batches("val")

    def test_dataloader(self) -> LabelledBatches:
        return self.batches("test")

    def facts(self) -> dict[str, dict[str, int]]:
        """For the run's record: the examples of each split."""
        return {"examples": {name: len(split.y) for name, split in self.splits.items()}}

    def sha256(self) -> str:
        """A hash of everything in the splits: equal data, equal hash."""
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            for tensor in self.splits[name]:
                digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
        return digest.hexdigest()


def split_examples(x: NDArray[np.float32], y: NDArray[np.int64], division: Division) -> dict[str, Split]:
    """`x (N, …)` and `y (N,)` as `division` divides them."""
    rows = division.divide(y)
    return {name: Split(torch.from_numpy(x[chosen]), torch.from_numpy(y[chosen])) for name, chosen in rows.items()}


def class_counts(split: Split, classes: int) -> tuple[int, ...]:
    return tuple(torch.bincount(split.y, minlength=classes).tolist())
