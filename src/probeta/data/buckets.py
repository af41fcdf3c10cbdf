"""Batches of pairs of like length, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from probeta.data.batch import PairBatch
from probeta.data.pairs import EncodedPairs
from probeta.errors import ConfigError

Rows = NDArray[np.int64]


class Batches:
    """An iterable of `PairBatch`: one pass is one epoch.

    Pairs are sorted by target length, then by source length in steps of `width`, with ties broken anew
    each epoch, and cut into batches whose order is then shuffled. A cut depends on lengths only, so
    every epoch has the same number of batches. A batch has `batch_size` pairs, or as many as keep
    `pairs × longest sentence` (padding included) within `batch_tokens`; with neither, it is the whole
    split. With `width=None` nothing is sorted: batches are drawn at random.

    Under data-parallel training rank `r` of `world_size` takes rows `r, r + world_size, …` of each batch,
    padded to the whole batch's lengths. A batch of fewer pairs than ranks repeats pairs: `index` tells.

    Without `shuffle` the order is by length and always the same. Lightning calls `sampler.set_epoch` and
    saves `state_dict`, so a resumed run goes on at the very batch where it stopped.
    """

    def __init__(
        self,
        pairs: EncodedPairs,
        *,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        shuffle: bool = False,
        seed: int = 0,
        width: int | None = 2,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_batch_keys(batch_size, batch_tokens)
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} of {world_size}")
        self.pairs = pairs
        self.shuffle = shuffle
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self._position = 0
        self._whole: PairBatch | None = None
        self._key, bound = _sort_key(pairs, width)
        self._cuts = _cuts(bound[np.argsort(self._key, kind="stable")], batch_size, batch_tokens)

    def __len__(self) -> int:
        return len(self._cuts) - 1

    @property
    def sampler(self) -> Batches:
        """Lightning looks for `set_epoch` here."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def start_at(self, position: int) -> None:
        """Let the next pass begin with batch number `position`."""
        self._position = position

    def state_dict(self) -> dict[str, int]:
        return {"position": self._position % max(len(self), 1)}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.start_at(state["position"])

    def rows(self) -> list[Rows]:
        """The pairs of each batch of this epoch, before sharding."""
        if len(self) == 1:
            return [np.arange(len(self.pairs))]
        if not self.shuffle:
            order = np.argsort(self._key, kind="stable")
            return [order[a:b] for a, b in pairwise(self._cuts)]
        rng = np.random.default_rng((self.seed, self.epoch))
        shuffled = rng.permutation(len(self.pairs))
        order = shuffled[np.argsort(self._key[shuffled], kind="stable")]
        batches = [order[a:b] for a, b in pairwise(self._cuts)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def __iter__(self) -> Iterator[PairBatch]:
        start, self._position = self._position % max(len(self), 1), 0
        if len(self) == 1:
            # The full batch is the same every epoch: tiny data should not pay for padding it again.
            self._whole = self._whole or self._shard(self.rows()[0])
            self._position = 1
            yield self._whole
            return
        batches = self.rows()
        for position in range(start, len(batches)):
            self._position = position + 1
            yield self._shard(batches[position])

    def _shard(self, rows: Rows) -> PairBatch:
        if self.world_size == 1:
            return self.pairs.batch(rows)
        if len(rows) < self.world_size:
            rows = np.resize(rows, self.world_size)
        source, target = self.pairs.source.offsets, self.pairs.target.offsets
        lengths = [int((offsets[rows + 1] - offsets[rows]).max()) for offsets in (source, target)]
        return self.pairs.batch(rows[self.rank :: self.world_size], *lengths)


def check_batch_keys(batch_size: int | None, batch_tokens: int | None) -> None:
    for key, value in (("data.batch_size", batch_size), ("data.batch_tokens", batch_tokens)):
        if value is not None and value < 1:
            raise ConfigError.value(key, value, "a whole number from 1, or null")
    if batch_size is not None and batch_tokens is not None:
        raise ConfigError(
            f"data.batch_size={batch_size} and data.batch_tokens={batch_tokens} exclude each other: "
            "set one of them to null"
        )


def _sort_key(pairs: EncodedPairs, width: int | None) -> tuple[Rows, Rows]:
    """What pairs are sorted by, and the upper bound of each pair's longer sentence under that key."""
    target = pairs.target.lengths
    if width is None:
        longest = int(np.maximum(target, pairs.source.lengths).max(initial=1))
        return np.zeros_like(target), np.full_like(target, longest)
    bucket = -(-pairs.source.lengths // width)
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
