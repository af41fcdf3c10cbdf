"""The interval of a mean: one way for reports, exercises, probes and charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESOLUTION = 2.0**-22
"""Relative differences below this are rounding: metrics are sums in float32, whose steps are 2⁻²⁴ to 2⁻²³."""

LEVEL = 0.95
"""Of every interval."""

UNBOUNDED = (-math.inf, math.inf)
BOOTSTRAP_FROM = 20
"""Values from which on skewed ones are resampled."""
RESAMPLES = 5000
DRAWN_AT_ONCE = 2**20
"""Values of resamples that are held at a time: 8 MB."""
SKEWED = 0.01
"""Level of the test of skewness (D'Agostino 1970) below which values count as skewed."""


class Method(Enum):
    """How an interval was computed."""

    T = "Student's t"
    BCA = "BCa bootstrap"
    EQUAL = "all equal"


@dataclass(frozen=True)
class Interval:
    """The interval of a mean of `n` values. Where all are equal (`Method.EQUAL`) it is no statement about other
    values: `low` and `high` are then the one value.
    """

    low: float
    high: float
    n: int
    method: Method = Method.T

    @property
    def ends(self) -> tuple[float, float] | None:
        """`None` where all values are equal: n equal values do not bound the next one."""
        return None if self.method is Method.EQUAL else (self.low, self.high)


def mean_interval(
    values: Sequence[float] | Floats,
    bounds: tuple[float, float] = UNBOUNDED,
    *,
    bootstrap: bool = False,
    scale: float = 0.0,
    overlap: float = 0.0,
) -> Interval | None:
    """The interval that covers the mean of what `values` are drawn from with probability `LEVEL`.

    Student's t: x̄ ± t₍ₙ₋₁₎ s / √n, exact for normal values. How often it covers the mean of discrete and of skewed ones
    stands in docs/explanation/verdicts.md.

    Args:
        values: independent draws, usually one per seed.
        bounds: what the quantity cannot leave (0 and 1 of an accuracy); the interval is cut to it.
        bootstrap: take the BCa bootstrap (Efron 1987) instead where there are at least `BOOTSTRAP_FROM` values and
            they are skewed. Only for a mean by itself: the interval of a difference agrees with its t-test.
        scale: magnitude of the numbers that `values` are differences of, for what counts as rounding.
        overlap: of folds, test examples per training example: see `resampled_error`.

    Returns `None` for fewer than two values.
    """
    x = merge_rounding(values, scale)
    n = len(x)
    if n < 2:
        return None
    if np.ptp(x) == 0.0:
        return Interval(float(x[0]), float(x[0]), n, Method.EQUAL)
    if bootstrap and not overlap and n >= BOOTSTRAP_FROM and is_skewed(x):
        low, high = _bca(x)
        method = Method.BCA
    else:
        from scipy.special import stdtrit

        mean, half = float(x.mean()), float(stdtrit(n - 1, (1 + LEVEL) / 2)) * resampled_error(x, overlap)
        low, high, method = mean - half, mean + half, Method.T
    return Interval(max(low, bounds[0]), min(high, bounds[1]), n, method)


def resampled_error(x: Floats, overlap: float = 0.0) -> float:
    """The standard error of the mean of `x (n,)`: s √(1/n + overlap).

    `overlap` is 0 for independent values: s / √n. Values of folds share training examples and vary less than new data
    would make them; Nadeau and Bengio ("Inference for the generalization error", Machine Learning 52, 2003, eq. 8)
    take n_test / n_train for what they have in common, which errs on the side of caution.
    """
    return float(x.std(ddof=1)) * math.sqrt(1 / len(x) + overlap)


def merge_rounding(values: Sequence[float] | Floats, scale: float = 0.0) -> Floats:
    """`values` with those that differ by no more than rounding made the same number (0 where that is within it).

    Two runs with the same count of right answers, or two pairs with the same difference of counts, are ties; as
    quotients in float32 they are not. `scale` is the magnitude of the numbers that were subtracted. Fractions are
    exact, and stay as they are.
    """
    x = np.asarray(values, dtype=np.float64)
    if all(isinstance(value, Fraction) for value in values):
        return x
    finite = np.abs(x[np.isfinite(x)])
    tolerance = RESOLUTION * max(scale, float(finite.max(initial=0.0)))
    order = np.argsort(x, kind="stable")
    with np.errstate(invalid="ignore"):  # two infinities
        steps = np.diff(x[order]) > tolerance
    cluster = np.concatenate([[0], np.cumsum(steps)])
    first = np.flatnonzero(np.concatenate([[True], steps]))
    merged = np.empty_like(x)
    merged[order] = x[order][first][cluster]
    merged[np.abs(merged) <= RESOLUTION * scale] = 0.0
    return merged


def is_skewed(values: Sequence[float] | Floats) -> bool:
    """Whether D'Agostino's test finds `values` (8 or more) skewed."""
    from scipy.stats import skewtest

    return bool(skewtest(np.asarray(values)).pvalue < SKEWED)


def _bca(x: Floats) -> tuple[float, float]:
    """Efron 1987, as `scipy.stats.bootstrap` computes it, whose jackknife takes the square of n in time and memory.
    Of a mean the jackknife is known: without xᵢ it is x̄ + (x̄ - xᵢ) / (n - 1).
    """
    from scipy.special import ndtr, ndtri

    n, mean = len(x), x.mean()
    # The same resamples for every sample of one size, so that the same values give the same interval.
    rng = np.random.default_rng(n)
    rows = max(1, DRAWN_AT_ONCE // n)
    sizes = [min(rows, RESAMPLES - first) for first in range(0, RESAMPLES, rows)]
    means = np.concatenate([x[rng.integers(0, n, (size, n))].mean(axis=-1) for size in sizes])
    bias = ndtri((np.mean(means < mean) + np.mean(means <= mean)) / 2)
    deviations = (x - mean) / np.max(np.abs(x - mean))
    acceleration = np.sum(deviations**3) / (6 * np.sum(deviations**2) ** 1.5)
    z = bias + ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.quantile(means, ndtr(bias + z / (1 - acceleration * z)))
    return float(low), float(high)
