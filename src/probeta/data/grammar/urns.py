"""Weighted draws for many rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]


class Urns:
    """Row `i` holds the balls `lists[i]`; a ball that is there twice is drawn twice as often."""

    def __init__(self, lists: Sequence[Sequence[int]]) -> None:
        self.sizes = np.array([len(balls) for balls in lists], dtype=np.int64)
        self.balls = np.zeros((len(lists), int(self.sizes.max())), dtype=np.int64)
        for row, balls in enumerate(lists):
            self.balls[row, : len(balls)] = balls

    def draw(self, rng: np.random.Generator, rows: Ints) -> Ints:
        """One ball from each of the urns `rows (n,)`: `(n,)`. An empty urn gives 0."""
        drawn = (rng.random(len(rows), dtype=np.float32) * self.sizes[rows]).astype(np.int64)
        # float32 times a size can round up to the size itself.
        return self.balls[rows, np.minimum(drawn, np.maximum(self.sizes[rows] - 1, 0))]


def repeated(weights: Sequence[int]) -> list[int]:
    """`[2, 1]` → `[0, 0, 1]`."""
    return [ball for ball, weight in enumerate(weights) for _ in range(weight)]
