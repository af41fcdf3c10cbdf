"""Random vectors for K nets, each from a generator of its own: a run's generators are left as they are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Draws:
    """Vectors `(K, P)` like `like`, whose row k follows from `seeds[k]` alone, whoever else is measured."""

    def __init__(self, seeds: Sequence[int], like: Tensor) -> None:
        self.seeds, self.like = seeds, like
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def normal(self) -> Tensor:
        """Independent standard normal numbers."""
        size = self.like.shape[1]
        return self._stack([torch.randn(size, generator=g, dtype=torch.float64) for g in self.generators])

    def signs(self) -> Tensor:
        """Independent signs, 1 or −1."""
        size = self.like.shape[1]
        return self._stack([torch.randint(0, 2, (size,), generator=g).double() * 2 - 1 for g in self.generators])

    def _stack(self, rows: list[Tensor]) -> Tensor:
        return torch.stack(rows).to(self.like)
