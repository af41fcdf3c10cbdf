"""Weighted draws for many rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]


class WeightedLists:
    """Row `i` holds the items `lists[i]`; an item that is there twice is drawn twice as often."""

    def __init__(self, lists: Sequence[Sequence[int]]) -> None:
        self.sizes = np.array([len(items) for items in lists], dtype=np.int64)
        self.items = np.zeros((len(lists), int(self.sizes.max())), dtype=np.int64)
        for row, items in enumerate(lists):
            self.items[row, : len(items)] = items

    def draw(self, rng: np.random.Generator, rows: Ints) -> Ints:
        """One item from each of the lists `rows (n,)`: `(n,)`. An empty list gives 0."""
        drawn = (rng.random(len(rows), dtype=np.float32) * self.sizes[rows]).astype(np.int64)
        # float32 times a size can round up to the size itself.
        return self.items[rows, np.minimum(drawn, np.maximum(self.sizes[rows] - 1, 0))]


def repeat(weights: Sequence[int]) -> list[int]:
    """`[2, 1]` → `[0, 0, 1]`."""
    return [item for item, weight in enumerate(weights) for _ in range(weight)]
