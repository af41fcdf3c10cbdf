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
from probeta.data.spec import DataSpec
from probeta.errors import check_whole, check_whole_or_null


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
        seed: what the data are drawn or split by.
        batch_size: examples in a training batch; null for the full batch.
    """

    def __init__(self, seed: int, batch_size: int | None) -> None:
        super().__init__()
        self.seed = check_whole("seed", seed, 0, 2**32 - 1)
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

    def sha256(self) -> str:
        """A hash of everything in the splits: equal data, equal hash."""
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            for tensor in self.splits[name]:
                digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
        return digest.hexdigest()


def split_stratified(x: NDArray[np.float32], y: NDArray[np.int64], seed: int) -> dict[str, Split]:
    """`x (N, …)` and `y (N,)` as 60 % `train`, 20 % `val` and 20 % `test`, with the classes' shares kept in each."""
    from sklearn.model_selection import train_test_split

    x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, random_state=seed, stratify=y)
    x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, random_state=seed, stratify=y_rest)
    arrays = {"train": (x_train, y_train), "val": (x_val, y_val), "test": (x_test, y_test)}
    return {name: Split(torch.from_numpy(a), torch.from_numpy(b)) for name, (a, b) in arrays.items()}


def class_counts(split: Split, classes: int) -> tuple[int, ...]:
    return tuple(torch.bincount(split.y, minlength=classes).tolist())
