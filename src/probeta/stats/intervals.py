"""The interval of a mean over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 5000


def bootstrap_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean (Efron & Tibshirani 1993, ch. 13); `None` for n < 2.

    The resamples are the same for every group of one size, so the same values give the same interval.
    """
    if len(values) < 2:
        return None
    x = np.asarray(values, dtype=np.float64)
    means = x[_resamples(len(x))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    # Rounding in the mean of equal values must not put the interval beside them.
    low, high = np.clip([low, high], x.min(), x.max())
    return float(low), float(high)


@lru_cache(maxsize=64)
def _resamples(n: int) -> NDArray[np.intp]:
    return np.random.default_rng(n).integers(0, n, size=(RESAMPLES, n))
