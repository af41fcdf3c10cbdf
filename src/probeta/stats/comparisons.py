"""What a handful of seeds can say of a difference: paired tests, failures included."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np

from probeta.stats.intervals import Floats, Interval, mean_interval, merge_rounding, resampled_error
from probeta.stats.values import Values, as_values
from probeta.stats.variance_components import Crossed, arrange, crossed_interval, crossed_p

ALPHA = 0.05

LEAST_RATIO = math.log(1.01)
"""A factor nearer to 1 than 1.01 is not worth a verdict, however little noise there is."""


class Withheld(Enum):
    """Why a comparison is not tested."""

    FAILED = "failed runs have no rank in a quantity that is neither good nor bad"
    STOPPED = "the study stopped by looking at its values, for which these tests are not made"
    FOLDS = "folds overlap, and some of them are missing"
    CROSSED = "runs share seeds, and not all of the crossing has a value"


@dataclass(frozen=True)
class Comparison:
    """`a` minus `b` in one metric, over the seeds that both have."""

    a: str
    b: str
    seeds: int
    """Seeds at which both have a value."""
    difference: float
    """Mean over them, of logarithms where `ratio`; NaN where there are none."""
    interval: Interval | None
    """Of the mean difference: it leaves out 0 exactly where `p` < 0.05. None where failures are ranked."""
    p: float | None
    """By itself. None: not tested."""
    p_holm: float | None = None
    """With Holm's correction over the family."""
    family: int = 1
    """Comparisons that are corrected together."""
    failed: tuple[int, int] = (0, 0)
    """Runs of `a` and of `b` that failed or diverged."""
    ranked: bool = False
    """Whether `p` is of the signed ranks, the failed runs ranked worst."""
    withheld: Withheld | None = None
    """Why it is not tested though it could be."""
    sign: int = 0
    """1 where `a` lies above `b` by what was tested, -1 where below."""
    small: bool = False
    """Whether the mean difference is too small to be worth a verdict."""
    ratio: bool = False
    folds: bool = False
    """Whether the replicates are folds, by the corrected resampled t-test."""
    key: Hashable = None
    """What makes it the same comparison as another."""

    @property
    def differs(self) -> bool:
        return self.p_holm is not None and self.p_holm < ALPHA and not self.small

    @property
    def only_alone(self) -> bool:
        """Whether it would differ were it the only comparison: its interval leaves out 0, its verdict does not."""
        return self.p is not None and self.p < ALPHA and not self.differs


def paired_p(differences: Sequence[float] | Floats, scale: float = 0.0, overlap: float = 0.0) -> float | None:
    """Two-sided p-value of "the mean difference is 0", by Student's paired t-test; `None` for n < 2.

    Where all differences are the same number, up to rounding at `scale` (see `merge_rounding`), the t statistic does
    not exist: the exact sign-flip test answers instead (p = 2^(1-n), and 1 where that number is 0). With `overlap`,
    test examples per training example of folds, it is the corrected resampled t-test (see `resampled_error`).
    """
    d = merge_rounding(differences, scale)
    n = len(d)
    if n < 2:
        return None
    if np.ptp(d) == 0.0:
        return 1.0 if d[0] == 0.0 else 2.0 ** (1 - n)
    from scipy.special import stdtr

    return float(2.0 * stdtr(n - 1, -abs(d.mean() / resampled_error(d, overlap))))


def signed_rank_p(differences: Sequence[float] | Floats) -> tuple[float, int]:
    """Wilcoxon's signed-rank test (1945), exact with ties: p of all sign flips, and the sign of the rank sum.

    ±∞ is the greatest difference: a pair of which one run failed. Zeros are left out.
    """
    from scipy.stats import rankdata

    d = np.asarray(differences, dtype=np.float64)
    d = d[d != 0.0]
    ranks = np.round(2 * rankdata(np.abs(d))).astype(int)
    chances = np.ones(1)
    for rank in ranks:
        shifted = np.zeros(len(chances) + rank)
        shifted[: len(chances)] += chances / 2
        shifted[rank:] += chances / 2
        chances = shifted
    above, total = int(ranks[d > 0].sum()), int(ranks.sum())
    tail = chances[max(above, total - above) :].sum()
    return min(1.0, 2.0 * float(tail)), int(np.sign(2 * above - total))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): adjusted p-values, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def pair_variants(groups: Iterable[str], reference: str | None) -> list[tuple[str, str]]:
    """Who is compared with whom: each with `reference`, or all pairs where there is none among `groups`."""
    names = list(groups)
    if reference is not None and reference in names:
        return [(name, reference) for name in names if name != reference]
    return [(b, a) for a, b in itertools.combinations(names, 2)]


def compare_pair(
    a: str, b: str, of_a: Mapping[Any, float], of_b: Mapping[Any, float], *, ratio: bool = False
) -> Comparison | None:
    """One comparison of `families.compare`, not corrected; `None` where the two share no seed.

    Args:
        ratio: compare logarithms, as suits what spreads over orders of magnitude; values not above 0 are left out.
    """
    left, right = as_values(of_a), as_values(of_b)
    shared = [s for s in left if s in right and not (ratio and min(left[s], right[s]) <= 0)]
    lost = (len(left.failed & right.keys()), len(right.failed & left.keys()))
    if not shared and not sum(lost):
        return None
    x, y = (np.array([values[seed] for seed in shared], dtype=np.float64) for values in (left, right))
    # Subtracted as they are: fractions exactly. A relative error of a value is an absolute one of its logarithm.
    differences = np.log(x) - np.log(y) if ratio else [left[seed] - right[seed] for seed in shared]
    exact = all(isinstance(difference, Fraction) for difference in differences)
    scale = 1.0 if ratio else 0.0 if exact else float(max(np.abs(x).max(initial=0.0), np.abs(y).max(initial=0.0)))
    d = merge_rounding(differences, scale)
    mean = float(d.mean()) if shared else math.nan
    if shared and exact:
        mean = float(sum(differences) / len(shared))
    overlap = max(left.overlap, right.overlap)
    found = Comparison(a, b, len(shared), mean, None, None, failed=(len(left.failed), len(right.failed)),
                       ratio=ratio, folds=overlap > 0, key=comparison_key("values", left, right))  # fmt: skip
    if found.folds and lost != (0, 0):
        return replace(found, withheld=Withheld.FOLDS)
    crossed = None if found.folds else find_crossing(shared, d)
    if crossed is not None and (sum(lost) > 0 or not crossed.is_complete):
        return replace(found, withheld=Withheld.CROSSED)
    if sum(lost):
        if left.quantity.up is None:
            return replace(found, withheld=Withheld.FAILED)
        bad = -math.inf if left.quantity.up else math.inf
        d = np.concatenate([d, np.full(lost[0], bad), np.full(lost[1], -bad)])
        p, sign = signed_rank_p(d) if len(d) > 1 else (None, 0)
        return replace(found, p=p, sign=sign, ranked=True)
    level = max(abs(float(x.mean())), abs(float(y.mean())))
    least = LEAST_RATIO if ratio else max(left.quantity.least, left.quantity.relative * level)
    found = replace(found, sign=int(np.sign(mean)), small=0.0 < abs(mean) < least)
    if crossed is not None:
        return replace(found, p=crossed_p(crossed.values), interval=crossed_interval(crossed.values))
    return replace(found, p=paired_p(d, scale, overlap), interval=mean_interval(d, scale=scale, overlap=overlap))


def find_crossing(seeds: Sequence[Any], differences: Floats) -> Crossed | None:
    """The differences by their seeds, where these are several that runs share."""
    lengths = {len(several) if isinstance(several, tuple) else 0 for several in seeds}
    return arrange(dict(zip(seeds, differences, strict=True))) if len(lengths) == 1 and min(lengths) > 1 else None


def comparison_key(what: str, left: Values, right: Values) -> Hashable:
    """The same for the same comparison, whichever way round; unnamed values are known by what they are."""
    sides = [(v.quantity.name, v.variant) if v.variant is not None else tuple(sorted(v.items())) for v in (left, right)]
    return what, frozenset(sides)
