"""Encoded sentence pairs as four flat arrays, in memory or memory-mapped, padded without a Python loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probeta.data.batch import PairBatch
from probeta.data.vocabulary import PAD_ID

IntArray = NDArray[np.integer]


@dataclass(frozen=True)
class Sequences:
    """Ragged rows: row `i` is `ids[offsets[i]:offsets[i + 1]]`, `<bos> … <eos>`."""

    ids: IntArray
    offsets: IntArray

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int]]) -> Sequences:
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        ids = np.fromiter(chain.from_iterable(rows), np.int32, count=int(offsets[-1]))
        return cls(ids, offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> IntArray:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.offsets)

    def padded(self, rows: IntArray) -> Tensor:
        """`(B, T)` int64 ids of `rows`, right-padded to the longest."""
        starts = self.offsets[rows]
        lengths = self.offsets[rows + 1] - starts
        steps = np.arange(int(lengths.max()))
        inside = steps < lengths[:, None]
        where = np.where(inside, starts[:, None] + steps, 0)
        return torch.from_numpy(np.where(inside, self.ids[where], PAD_ID).astype(np.int64))


@dataclass(frozen=True)
class EncodedPairs:
    """A split's sentence pairs: one row of `source` and one of `target` per pair."""

    source: Sequences
    target: Sequences

    @classmethod
    def from_lists(cls, source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> EncodedPairs:
        if len(source) != len(target):
            raise ValueError(f"{len(source)} source rows, {len(target)} target rows")
        return cls(Sequences.from_lists(source), Sequences.from_lists(target))

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, rows: IntArray) -> PairBatch:
        """The pairs `rows`, padded to their own longest."""
        index = np.array(rows, np.int64)
        return PairBatch(self.source.padded(index), self.target.padded(index), torch.from_numpy(index))
