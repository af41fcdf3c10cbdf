"""What a handful of seeds can say of differences: paired tests, failures included, corrected over a whole page."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from probeta.stats.intervals import Floats, Interval, mean_interval, merge_rounding

ALPHA = 0.05


class Values(dict[Any, float]):
    """Replicate (a seed, or a pair of seeds) → value."""

    def __init__(self, values: Mapping[Any, float] | Iterable[Any] = (), failed: Iterable[Any] = ()) -> None:
        super().__init__(values)
        self.failed = frozenset(failed)
        """Replicates whose run failed or diverged, and so has no value. One that has not run yet is in neither."""


@dataclass(frozen=True)
class Comparison:
    """`a` minus `b` in one metric, over the seeds that both have."""

    a: str
    b: str
    seeds: int
    """Seeds at which both have a value."""
    difference: float
    """Mean over them; NaN where there are none."""
    interval: Interval | None
    """Of the mean difference: it leaves out 0 exactly where `p` < 0.05. None where failures are ranked."""
    p: float | None
    p_holm: float | None
    failed: tuple[int, int] = (0, 0)
    """Runs of `a` and of `b` that failed or diverged."""
    ranked: bool = False
    """Whether `p` is of the signed ranks, the failed runs ranked worst."""
    sign: int = 0
    """1 where `a` lies above `b` by what was tested, -1 where below."""

    @property
    def differs(self) -> bool:
        return self.p_holm is not None and self.p_holm < ALPHA


def paired_p(differences: Sequence[float] | Floats, scale: float = 0.0) -> float | None:
    """Two-sided p-value of "the mean difference is 0", by Student's paired t-test; `None` for n < 2.

    Where all differences are the same number, up to rounding at `scale` (see `merge_rounding`), the t statistic does
    not exist: the exact sign-flip test answers instead (p = 2^(1-n), and 1 where that number is 0).
    """
    d = merge_rounding(differences, scale)
    n = len(d)
    if n < 2:
        return None
    if np.ptp(d) == 0.0:
        return 1.0 if d[0] == 0.0 else 2.0 ** (1 - n)
    from scipy.special import stdtr

    return float(2.0 * stdtr(n - 1, -abs(d.mean() / (d.std(ddof=1) / math.sqrt(n)))))


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


def compare(
    groups: Mapping[str, Mapping[Any, float]], reference: str | None = None, *, up: bool = True
) -> list[Comparison]:
    """Variants (replicate → value) against the reference, or all pairs where there is none.

    A pair is tested over the seeds that both have, by Student's paired t-test. Where at some seed one of the two failed
    (`Values.failed`) and the other did not, what is left would flatter the one whose poor runs failed: the signed
    ranks over all seeds are tested instead, a failed run ranked worst. A pair with one shared seed stays untested,
    one without any is left out.

    Args:
        up: whether more is better: which end is worst.

    Holm's correction is over all these comparisons.
    """
    pairs = pair_variants(groups, reference)
    found = [c for a, b in pairs if (c := compare_pair(a, b, groups[a], groups[b], up=up)) is not None]
    tested = [c for c in found if c.p is not None]
    adjusted = iter(holm([c.p or 0.0 for c in tested]))
    return [replace(c, p_holm=None if c.p is None else next(adjusted)) for c in found]


def pair_variants(groups: Iterable[str], reference: str | None) -> list[tuple[str, str]]:
    """Who is compared with whom: each with `reference`, or all pairs where there is none among `groups`."""
    names = list(groups)
    if reference is not None and reference in names:
        return [(name, reference) for name in names if name != reference]
    return [(b, a) for a, b in itertools.combinations(names, 2)]


def compare_pair(
    a: str, b: str, of_a: Mapping[Any, float], of_b: Mapping[Any, float], *, up: bool = True
) -> Comparison | None:
    """One comparison of `compare`, not corrected; `None` where the two share no seed."""
    shared = [seed for seed in of_a if seed in of_b]
    lost_a, lost_b = _failed(of_a), _failed(of_b)
    worse_a = sum(seed in of_b for seed in lost_a)
    worse_b = sum(seed in of_a for seed in lost_b)
    x, y = (np.array([values[seed] for seed in shared], dtype=np.float64) for values in (of_a, of_b))
    scale = float(max(np.abs(x).max(initial=0.0), np.abs(y).max(initial=0.0)))
    d = merge_rounding(x - y, scale)
    if not shared and not worse_a + worse_b:
        return None
    failed = (len(lost_a), len(lost_b))
    mean = float(d.mean()) if shared else math.nan
    if worse_a + worse_b:
        bad = -math.inf if up else math.inf
        d = np.concatenate([d, np.full(worse_a, bad), np.full(worse_b, -bad)])
        p, sign = signed_rank_p(d) if len(d) > 1 else (None, 0)
        return Comparison(a, b, len(shared), mean, None, p, None, failed, True, sign)
    sign, p = int(np.sign(mean)), paired_p(d, scale)
    return Comparison(a, b, len(shared), mean, mean_interval(d, scale=scale), p, None, failed, False, sign)


def _failed(values: Mapping[Any, float]) -> frozenset[Any]:
    return values.failed if isinstance(values, Values) else frozenset()
