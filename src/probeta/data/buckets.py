"""Batches of pairs of like length, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from probeta.data.batch import PairBatch
from probeta.data.batches import Batches
from probeta.data.pairs import EncodedPairs
from probeta.errors import ConfigError, check_whole_or_null

Rows = NDArray[np.integer]


class PairBatches(Batches[PairBatch]):
    """The batches of one split of sentence pairs: one pass is one epoch.

    Pairs are sorted by target length, then by source length in steps of `width`, with ties broken anew
    each epoch, and cut into batches whose order is then shuffled. A cut depends on lengths only, so
    every epoch has the same number of batches. A batch has `batch_size` pairs, or as many as keep
    `pairs × longest sentence` (padding included) within `batch_tokens`; with neither, it is the whole
    split. With `width=None` nothing is sorted: batches are drawn at random.

    `rows` takes some pairs only. Without a `shuffle_seed` the order is by length and always the same.
    Under data-parallel training a batch of fewer pairs than ranks repeats pairs, so that no rank is
    without work: `index` tells.
    """

    def __init__(
        self,
        pairs: EncodedPairs,
        *,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        shuffle_seed: int | None = None,
        width: int | None = 2,
        rows: Rows | None = None,
    ) -> None:
        super().__init__()
        check_batch_keys(batch_size, batch_tokens)
        self.pairs = pairs
        self.shuffle_seed = shuffle_seed
        self._whole: dict[tuple[int, int], PairBatch] = {}
        # The smallest types that hold them: what is kept for every pair decides how memory grows with the corpus.
        self._rows = (np.arange(len(pairs)) if rows is None else rows).astype(np.int32)
        key, bound = _sort_key(pairs.source.lengths[self._rows], pairs.target.lengths[self._rows], width)
        self._key = key.astype(np.min_scalar_type(int(key.max(initial=0))))
        self._cuts = _cuts(bound[np.argsort(self._key, kind="stable")], batch_size, batch_tokens)

    def __len__(self) -> int:
        return len(self._cuts) - 1

    def plan(self, epoch: int) -> Sequence[Rows]:
        if len(self) == 1:
            batches = [self._rows]
        elif self.shuffle_seed is None:
            order = self._rows[np.argsort(self._key, kind="stable")]
            batches = [order[a:b] for a, b in pairwise(self._cuts)]
        else:
            rng = np.random.default_rng((self.shuffle_seed, epoch))
            shuffled = rng.permutation(len(self._rows))
            order = self._rows[shuffled[np.argsort(self._key[shuffled], kind="stable")]]
            batches = [order[a:b] for a, b in pairwise(self._cuts)]
            batches = [batches[i] for i in rng.permutation(len(batches))]
        return [np.resize(rows, self.world) if len(rows) < self.world else rows for rows in batches]

    def collate(self, indices: Rows | slice) -> PairBatch:
        if isinstance(indices, slice):
            indices = np.arange(*indices.indices(len(self.pairs)))
        if len(self) > 1:
            return self.pairs.batch(indices)
        # The full batch is the same every epoch: tiny data should not pay for padding it again.
        place = (self.rank, self.world)
        if place not in self._whole:
            self._whole[place] = self.pairs.batch(indices)
        return self._whole[place]


def check_batch_keys(batch_size: int | None, batch_tokens: int | None) -> None:
    for key, value in (("batch_size", batch_size), ("batch_tokens", batch_tokens)):
        check_whole_or_null(key, value)
    if batch_size is not None and batch_tokens is not None:
        raise ConfigError(
            f"data.batch_tokens={batch_tokens} and data.batch_size={batch_size} exclude each other: "
            "set one of them to null"
        )


def _sort_key(source: Rows, target: Rows, width: int | None) -> tuple[Rows, Rows]:
    """What pairs of these lengths are sorted by, and the upper bound of each pair's longer sentence under that key."""
    if width is None:
        longest = int(np.maximum(target, source).max(initial=1))
        return np.zeros_like(target), np.full_like(target, longest)
    bucket = -(-source // width)
    span = int(bucket.max(initial=0)) + 1
    # Neighbouring target lengths run through the source lengths in opposite directions, so that a
    # batch that crosses from one to the other still holds like lengths.
    key = target * span + np.where(target % 2 == 0, bucket, span - 1 - bucket)
    return key, np.maximum(target, bucket * width)


def _cuts(bound: Rows, batch_size: int | None, batch_tokens: int | None) -> Rows:
    """Where the sorted pairs are cut: `(batches + 1,)` positions, from 0 to the number of pairs."""
    n = len(bound)
    if batch_tokens is None:
        size = batch_size or max(n, 1)
        return np.append(np.arange(0, n, size), n)
    cuts = [0]
    while cuts[-1] < n:
        start = cuts[-1]
        window = bound[start : start + max(1, batch_tokens // int(bound[start]))]
        tokens = np.maximum.accumulate(window) * np.arange(1, len(window) + 1)
        cuts.append(start + max(1, int(np.searchsorted(tokens, batch_tokens, side="right"))))
    return np.array(cuts)
