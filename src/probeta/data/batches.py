"""Batches without a DataLoader: an order drawn from (seed, epoch) and one indexing operation per batch.

Data that is in memory (or memory-mapped) needs no worker processes, no samplers and no per-item
Python. Because the order is a function of the seed and the epoch, it needs no state to be resumed:
epoch and position say everything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from probeta.data.batch import LabelledBatch

B = TypeVar("B")


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """A permutation of `range(count)`, the same wherever (seed, epoch) are the same."""
    return np.random.default_rng((seed, epoch)).permutation(count)


class Batches(ABC, Generic[B]):
    """The batches of one split, as Lightning iterates them.

    `plan` says which examples make up each batch of an epoch, `collate` makes the batch. Under DDP
    every process plans the same global batches and takes its own rows (`shard`).
    """

    batch_sampler = None
    """Where Lightning finds a `sampler`, it looks for this too."""

    def __init__(self) -> None:
        self.epoch = 0
        self._start = 0
        self.rank, self.world = 0, 1

    @abstractmethod
    def plan(self, epoch: int) -> Sequence[np.ndarray | slice]:
        """The examples of each batch of `epoch`, as index arrays."""

    @abstractmethod
    def collate(self, indices: np.ndarray | slice) -> B: ...

    @abstractmethod
    def __len__(self) -> int:
        """Batches per epoch."""

    @property
    def sampler(self) -> Batches[B]:
        """Lightning calls `set_epoch` on a loader's sampler; here the loader is its own."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def start_at(self, position: int) -> None:
        """Begin the next epoch at batch `position` (once): what a resumed run has already seen."""
        self._start = position

    def shard(self, rank: int, world: int) -> None:
        """Take rows `rank, rank + world, …` of every global batch."""
        self.rank, self.world = rank, world

    def __iter__(self) -> Iterator[B]:
        # A generator, so that the epoch is read when the first batch is asked for: Lightning makes
        # the iterator before it says which epoch this is.
        start, self._start = self._start, 0
        for indices in self.plan(self.epoch)[start:]:
            if self.world > 1:
                rows = np.arange(indices.start, indices.stop) if isinstance(indices, slice) else indices
                indices = rows[self.rank :: self.world]
            yield self.collate(indices)


class LabelledBatches(Batches[LabelledBatch]):
    """`x (N, …)` and `y (N,)` in memory; `batch_size=None` is the full batch."""

    def __init__(self, x: Tensor, y: Tensor, batch_size: int | None = None, shuffle_seed: int | None = None) -> None:
        super().__init__()
        self.x, self.y = x, y
        self.batch_size = min(batch_size or len(x), len(x))
        self.shuffle_seed = shuffle_seed

    def __len__(self) -> int:
        return -(-len(self.x) // self.batch_size)

    def plan(self, epoch: int) -> Sequence[np.ndarray | slice]:
        starts = range(0, len(self.x), self.batch_size)
        if self.shuffle_seed is None or len(self) == 1:
            # The full batch is the same set in any order: it is handed out as it is, without a copy.
            return [slice(s, min(s + self.batch_size, len(self.x))) for s in starts]
        order = epoch_order(self.shuffle_seed, epoch, len(self.x))
        return [order[s : s + self.batch_size] for s in starts]

    def collate(self, indices: np.ndarray | slice) -> LabelledBatch:
        if isinstance(indices, slice):
            return LabelledBatch(self.x[indices], self.y[indices])
        rows = torch.from_numpy(indices)
        return LabelledBatch(self.x[rows], self.y[rows])
