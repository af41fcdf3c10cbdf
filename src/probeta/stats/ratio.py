"""The ratio of two means of a crossed design: seeds by sentences, say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probeta.stats.intervals import Interval
from probeta.stats.variance_components import crossed_interval, crossed_p

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Ratio:
    value: float
    interval: Interval | None
    """`None` where the values below are too few, or their mean is not told from 0: any ratio is then possible."""


def ratio_of_means(above: Values, below: Values) -> Ratio:
    """Σ `above` / Σ `below`, each `(seeds, sentences)`, with Fieller's interval (1954): all θ for which the mean of
    `above` - θ `below` is not told from 0, over new levels of both sources (`stats.variance_components`).
    """
    value = float(above.mean() / below.mean())
    if min(above.shape) < 2 or not np.isfinite(value):
        return Ratio(value, None)

    def inside(theta: float) -> bool:
        found = crossed_interval(above - theta * below)
        return found.low <= 0 <= found.high

    ends = []
    for sign in (-1.0, 1.0):
        step = 0.05
        while inside(value + sign * step):
            step *= 2
            if step > 1e3:
                return Ratio(value, None)
        low, high = 0.0, step
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if inside(value + sign * middle) else (low, middle)
        ends.append(value + sign * low)
    return Ratio(value, Interval(ends[0], ends[1], above.size))


def ratio_p(above: Values, below: Values, theta: float) -> float | None:
    """Two-sided p of "the ratio is θ"; `None` for fewer than two of either source."""
    return None if min(above.shape) < 2 else crossed_p(above - theta * below)
