"""Where the spread of a number comes from: a balanced crossed random-effects analysis of variance.

One value in each cell of a full crossing of k sources (initial weights × order × data …), all of them random:

    y = μ + Σ_A e_A,   e_A ~ N(0, σ²_A) independent, A over all non-empty sets of sources.

A set of several sources is their interaction. A run has no randomness beyond its seeds, so the largest interaction
is a component like the others. With MS_A the mean square of A, and n_f the levels of source f,

    E[MS_A] = Σ_{B ⊇ A} σ²_B Π_{f ∉ B} n_f,   σ̂²_A = Σ_{B ⊇ A} (-1)^{|B| - |A|} MS_B / Π_{f ∉ A} n_f

(Searle, Casella & McCulloch, "Variance Components", 1992, ch. 4). Their sum is the variance of a run whose sources are
all new. A share of it below 0 is given as 0.

Intervals of shares are generalised confidence intervals (Weerahandi, "Generalized confidence intervals", JASA 88, 1993;
Hannig, Iyer & Patterson, JASA 101, 2006): MS_A df_A / E[MS_A] are independent χ², so each draw of them gives expected
mean squares, and thereby shares, that fit what was measured; the interval holds the middle 95 % of the draws. Assumed:
effects are normal. In simulations of 500 studies each (2 to 4 sources of 3 to 8 levels, shares from 0 to 1, normal
values and accuracies of 240 points) they covered the true share in 94 to 99 %.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probeta.errors import ConfigError
from probeta.stats.intervals import LEVEL, UNBOUNDED, Interval, Method, merge_rounding

Floats = NDArray[np.float64]

DRAWS = 10_000
"""Of the χ² variables; always the same ones, so that the same values give the same interval."""


@dataclass(frozen=True)
class Share:
    """A part of the whole variance, from 0 to 1, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Component:
    """The variance that one source, or the interaction of several, brings."""

    sources: tuple[str, ...]
    df: int
    mean_square: float
    variance: float
    """σ̂²: below 0 where the mean square lies below what the larger interactions alone would give."""
    share: Share


@dataclass(frozen=True)
class VarianceComponents:
    """The components of one quantity, single sources first."""

    levels: dict[str, int]
    """Source → how many different ones were tried."""
    components: tuple[Component, ...]
    without_effect: tuple[str, ...]
    """Sources whose levels give equal values, all else being equal."""
    drawn: Floats = field(repr=False)
    """`(components, draws)`: variances that fit what was measured."""

    def share_seen(self, varied: Collection[str]) -> Share:
        """The share of the variance among runs that vary these sources together and hold the others: that of every
        component in which one of them takes part.
        """
        return self._share_of([bool(set(c.sources) & set(varied)) for c in self.components])

    def share_of_interactions(self) -> Share:
        return self._share_of([len(c.sources) > 1 for c in self.components])

    def _share_of(self, rows: Sequence[bool]) -> Share:
        return _share(np.array([c.variance for c in self.components]), self.drawn, np.array(rows))


def decompose(values: NDArray[np.floating], sources: Sequence[str]) -> VarianceComponents:
    """The variance components of a balanced crossed design.

    Args:
        values: an axis a source, one value a cell, two levels or more along each axis.
        sources: names of the axes.

    Raises `ConfigError` where an axis has fewer than two levels or a cell no finite value.
    """
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != len(sources) or min(y.shape, default=0) < 2 or not np.isfinite(y).all():
        raise ConfigError.value("values", y.shape, "a finite value in every cell, two levels or more of each source")
    y = merge_rounding(y.ravel()).reshape(y.shape)
    sets, df, squares = _mean_squares(y)
    contrasts = _contrasts(sets, y.shape)
    variances = contrasts @ squares
    chi2 = np.random.default_rng(0).chisquare(df[:, None], (len(sets), DRAWS))
    drawn = contrasts @ (squares[:, None] * df[:, None] / chi2)
    rows = np.eye(len(sets), dtype=bool)
    parts = tuple(
        Component(tuple(sources[f] for f in A), int(d), float(ms), float(v), _share(variances, drawn, row))
        for A, d, ms, v, row in zip(sets, df, squares, variances, rows, strict=True)
    )
    same = tuple(name for axis, name in enumerate(sources) if _is_constant(y, axis))
    return VarianceComponents(dict(zip(sources, y.shape, strict=True)), parts, same, drawn)


@dataclass(frozen=True)
class Crossed:
    """Runs that cross seeds: each value of one with each of the others."""

    axes: tuple[int, ...]
    """Which entries of a run's seeds vary."""
    values: Floats
    """One axis for each; NaN where there is no run, or none with a value."""

    @property
    def is_complete(self) -> bool:
        return bool(np.isfinite(self.values).all())


def arrange(values: Mapping[tuple[Any, ...], float]) -> Crossed | None:
    """The values of runs by their seeds; `None` where runs share no seed, and so are independent.

    Args:
        values: seeds → value, NaN for a run without one. Seeds are tuples of one length.
    """
    columns = [list(dict.fromkeys(column)) for column in zip(*values, strict=True)]
    axes = tuple(i for i, levels in enumerate(columns) if len(levels) > 1)
    if len(axes) < 2 or all(len(columns[i]) == len(values) for i in axes):
        return None
    cells = np.full([len(columns[i]) for i in axes], np.nan)
    for seeds, value in values.items():
        cells[tuple(columns[i].index(seeds[i]) for i in axes)] = value
    return Crossed(axes, cells)


def list_sets(k: int) -> list[tuple[int, ...]]:
    """The non-empty sets of k axes, the smallest first."""
    return [A for size in range(1, k + 1) for A in itertools.combinations(range(k), size)]


def crossed_interval(values: NDArray[np.floating], bounds: tuple[float, float] = UNBOUNDED) -> Interval:
    """The interval of the mean of a crossed design, over new levels of every source; Student's t for one source."""
    from scipy.special import stdtrit

    y = np.asarray(values, dtype=np.float64)
    mean, error, freedom = _mean_and_error(y)
    if error == 0.0:
        return Interval(mean, mean, y.size, Method.EQUAL)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return Interval(max(mean - half, bounds[0]), min(mean + half, bounds[1]), y.size)


def crossed_p(differences: NDArray[np.floating]) -> float:
    """Two-sided p-value of "the mean difference is 0" of a crossed design: below 0.05 where its interval leaves out 0.

    Where all are the same number, as many as the source of fewest levels has count as independent: see `paired_p`.
    """
    from scipy.special import stdtr

    d = np.asarray(differences, dtype=np.float64)
    mean, error, freedom = _mean_and_error(d)
    if error == 0.0:
        return 1.0 if mean == 0.0 else 2.0 ** (1 - min(d.shape))
    return float(2.0 * stdtr(freedom, -abs(mean) / error))


def _mean_and_error(values: Floats) -> tuple[float, float, float]:
    """The mean, its standard error, and the degrees of freedom of that.

    N Var(ȳ) = Σ_A (-1)^{|A| + 1} E[MS_A], estimated by the mean squares, at least the largest of a single source, with
    the degrees of freedom of Satterthwaite (1946). The N values are not independent: a t-interval of them would be far
    too narrow.
    """
    y = merge_rounding(values.ravel()).reshape(values.shape)
    if np.ptp(y) == 0.0:
        return float(y.flat[0]), 0.0, math.inf
    sets, df, squares = _mean_squares(y)
    sign = np.array([(-1.0) ** (len(A) + 1) for A in sets])
    variance = max(float(sign @ squares), float(squares[: y.ndim].max()))
    if variance == 0.0:
        variance = float(squares.max())
    freedom = variance**2 / float((squares**2 / df).sum())
    return float(y.mean()), math.sqrt(variance / y.size), max(freedom, 1.0)


def _mean_squares(y: Floats) -> tuple[list[tuple[int, ...]], Floats, Floats]:
    """Sets of axes, their degrees of freedom, and their mean squares: Σ e_A² over all cells, by the degrees."""
    sets = list_sets(y.ndim)
    df = np.array([math.prod(y.shape[axis] - 1.0 for axis in A) for A in sets])
    squares = np.zeros(len(sets))
    constant = {axis for axis in range(y.ndim) if _is_constant(y, axis)}
    for i, A in enumerate(sets):
        effect = y
        for axis in range(y.ndim):
            mean = effect.mean(axis=axis, keepdims=True)
            effect = effect - mean if axis in A else mean
        # Means of equal values are equal up to rounding only.
        squares[i] = 0.0 if constant & set(A) else float((effect**2).mean()) * y.size / df[i]
    return sets, df, squares


def _is_constant(y: Floats, axis: int) -> bool:
    return not np.ptp(y, axis=axis).any()


def _contrasts(sets: Sequence[tuple[int, ...]], shape: tuple[int, ...]) -> Floats:
    """`(components, components)`: what turns expected mean squares into variances."""
    found = np.zeros((len(sets), len(sets)))
    for i, A in enumerate(sets):
        cells = math.prod(n for f, n in enumerate(shape) if f not in A)
        for j, B in enumerate(sets):
            if set(A) <= set(B):
                found[i, j] = (-1.0) ** (len(B) - len(A)) / cells
    return found


def _share(variances: Floats, drawn: Floats, rows: NDArray[np.bool_]) -> Share:
    """Of the components `rows` together; their sum and the whole are unbiased, so neither is cut at 0 before."""
    draws = np.column_stack([variances, drawn])
    whole = draws.sum(0)
    shares = np.clip(draws[rows].sum(0) / np.where(whole > 0.0, whole, np.inf), 0.0, 1.0)
    low, high = np.quantile(shares[1:], (0.025, 0.975))
    return Share(float(shares[0]), float(low), float(high))
