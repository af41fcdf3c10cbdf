"""The batches of K members, each in its own order, stacked where their shapes agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from probeta.data.batch import LabelledBatch, PairBatch
from probeta.data.batches import Batches, LabelledBatches
from probeta.data.buckets import PairBatches
from probeta.data.vocabulary import PAD_ID


class Part(NamedTuple):
    """A batch for some of the members."""

    members: Tensor | None
    """`(k,)` which; `None`: all."""
    batch: Any
    """With a first dimension k, unless `shared`."""
    shared: bool
    """Whether all members read the very same batch."""


class MemberBatches:
    """`parts(epoch, i)`: batch `i` of every member's epoch, from the loaders of their single runs.

    Members whose batches have one shape form one part. Sentences are padded to the split's longest, unless
    `exact`: dropout's masks are addressed by place, so with dropout a batch keeps the shape of the single run.
    """

    def __init__(self, loaders: Sequence[Batches[Any]], device: torch.device, exact: bool = False) -> None:
        self.loaders = list(loaders)
        self.device = device
        self.exact = exact
        self.places: list[int] = []
        """Member → its loader among the distinct ones."""
        self.distinct = list({id(loader): loader for loader in self.loaders}.values())
        self._locate()
        self.plan = lru_cache(maxsize=1)(self._plan)
        self._shared: dict[tuple[int, Any], Any] = {}
        self._x: tuple[Tensor, Tensor] | None = None

    def _locate(self) -> None:
        order = {id(loader): place for place, loader in enumerate(self.distinct)}
        self.places = [order[id(loader)] for loader in self.loaders]

    def __len__(self) -> int:
        return len(self.loaders[0])

    def _plan(self, epoch: int) -> list[Any]:
        return [loader.plan(epoch) for loader in self.distinct]

    def parts(self, epoch: int, i: int) -> Iterator[Part]:
        plans = self.plan(epoch)
        first = self.distinct[0]
        if isinstance(first, LabelledBatches):
            yield self._labelled([plan[i] for plan in plans])
            return
        assert isinstance(first, PairBatches)
        if len(self.distinct) == 1:
            yield Part(None, self._pair(0, plans[0][i]), True)
            return
        batches = [self._pair(place, plan[i]) for place, plan in enumerate(plans)]
        shapes: dict[tuple[Any, ...], list[int]] = {}
        for k, place in enumerate(self.places):
            shapes.setdefault(tuple(t.shape for t in batches[place]), []).append(k)
        for members in shapes.values():
            picked = [batches[self.places[k]] for k in members]
            stacked = PairBatch(*(torch.stack(tensors) for tensors in zip(*picked, strict=True)))
            whole = len(shapes) == 1
            yield Part(None if whole else torch.tensor(members, device=self.device), stacked, False)

    # --- points and sequences ------------------------------------------------------------------------

    def _labelled(self, rows: Sequence[np.ndarray | slice]) -> Part:
        """One indexing for all members, where their examples are the same or have the same shape."""
        loaders: list[Any] = self.distinct
        same = all(loader.x is loaders[0].x for loader in loaders)
        if isinstance(rows[0], slice):
            key = (rows[0].start, rows[0].stop)
            if key not in self._shared:
                picked = [LabelledBatch(loader.x[r], loader.y[r]) for loader, r in zip(loaders, rows, strict=True)]
                batch = picked[0] if same else self._members(picked)
                self._shared[key] = LabelledBatch(*(t.to(self.device) for t in batch))
            return Part(None, self._shared[key], same)
        if same and len(loaders) == 1:
            where = torch.from_numpy(np.asarray(rows[0])).to(self.device)
            x, y = self._examples()
            return Part(None, LabelledBatch(x[where], y[where]), True)
        where = torch.from_numpy(np.stack([np.asarray(rows[place]) for place in self.places])).to(self.device)
        x, y = self._examples()
        if same:
            return Part(None, LabelledBatch(x[where], y[where]), False)
        member = torch.arange(len(where), device=self.device)[:, None]
        return Part(None, LabelledBatch(x[member, where], y[member, where]), False)

    def _examples(self) -> tuple[Tensor, Tensor]:
        """All examples on the device: once where they are the same, else `(K, N, …)`."""
        if self._x is None:
            loaders: list[Any] = self.loaders
            same = all(loader.x is loaders[0].x for loader in loaders)
            x = loaders[0].x if same else torch.stack([loader.x for loader in loaders])
            y = loaders[0].y if same else torch.stack([loader.y for loader in loaders])
            self._x = (x.to(self.device), y.to(self.device))
        return self._x

    def _members(self, picked: Sequence[LabelledBatch]) -> LabelledBatch:
        return LabelledBatch(*(torch.stack([ts[place] for place in self.places]) for ts in zip(*picked, strict=True)))

    # --- sentence pairs ------------------------------------------------------------------------------

    def _pair(self, place: int, rows: Any) -> PairBatch:
        loader: Any = self.distinct[place]
        key = (id(loader.pairs), bytes(np.asarray(rows)))
        if key not in self._shared:
            if len(self._shared) > 4096:
                self._shared.clear()
            batch = loader.collate(rows)
            batch = batch if self.exact else pad_batch(batch, largest_shape(loader))
            self._shared[key] = PairBatch(*(t.to(self.device) for t in batch))
        pair_batch: PairBatch = self._shared[key]
        return pair_batch

    def rows(self, rows: Sequence[int]) -> None:
        """Go on with the members `rows`."""
        self.loaders = [self.loaders[k] for k in rows]
        self.distinct = list({id(loader): loader for loader in self.loaders}.values())
        self._locate()
        self.plan.cache_clear()
        self._x = None
        if isinstance(self.loaders[0], LabelledBatches):
            self._shared.clear()


def largest_shape(loader: PairBatches) -> tuple[int, int, int]:
    """Rows, source and target positions that hold every batch of `loader`, whatever its order."""
    rows = max(len(r) for r in loader.plan(0))
    return rows, int(loader.pairs.source.lengths.max()), int(loader.pairs.target.lengths.max())


def pad_batch(batch: PairBatch, shape: tuple[int, int, int]) -> PairBatch:
    """`batch` with padding up to `shape`; what it adds has no loss and changes no state."""
    rows, source, target = shape
    below = rows - len(batch.source)
    return PairBatch(
        F.pad(batch.source, (0, source - batch.source.shape[1], 0, below), value=PAD_ID),
        F.pad(batch.target, (0, target - batch.target.shape[1], 0, below), value=PAD_ID),
        F.pad(batch.index, (0, below), value=-1),
    )
