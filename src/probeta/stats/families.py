"""All tests of a page as one family: comparisons of variants, and which of them fails more often."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from probeta.stats.comparisons import (
    ALPHA,
    Comparison,
    Withheld,
    compare_pair,
    comparison_key,
    find_crossing,
    holm,
    pair_variants,
)
from probeta.stats.values import as_values


@dataclass(frozen=True)
class Failing:
    """Whether runs of `a` fail more often than those of `b`: the exact sign test over the seeds where just one did."""

    a: str
    b: str
    only: tuple[int, int]
    """Seeds at which only `a`, and at which only `b` failed."""
    seeds: int
    """Seeds that both ran at."""
    p: float | None
    p_holm: float | None = None
    family: int = 1
    withheld: Withheld | None = None
    key: Hashable = None

    @property
    def differs(self) -> bool:
        return self.p_holm is not None and self.p_holm < ALPHA


Tested = TypeVar("Tested", Comparison, Failing)


class Family:
    """Every test of one page. Holm's correction is over all of them, and each comparison is tested once.

    How many there are is known when the last has been asked for: `correct` answers for those asked so far.

    Args:
        stopped: the runs are of a study that added seeds until it had decided; nothing is tested.
    """

    def __init__(self, stopped: bool = False) -> None:
        self.stopped = stopped
        self._p: dict[Hashable, float] = {}
        self._adjusted: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._p)

    def correct(self, asked: Sequence[Tested]) -> list[Tested]:
        """`asked`, each with the p that the whole family leaves it."""
        if self.stopped:
            return [replace(c, p=None, withheld=Withheld.STOPPED) for c in asked]
        tested = {c.key: c.p for c in asked if c.p is not None}
        if not tested.keys() <= self._p.keys():
            self._p = {**tested, **self._p}
            self._adjusted = dict(zip(self._p, holm(list(self._p.values())), strict=True))
        return [c if c.p is None else replace(c, p_holm=self._adjusted[c.key], family=len(self)) for c in asked]


def compare(
    groups: Mapping[str, Mapping[Any, float]], reference: str | None = None, family: Family | None = None
) -> list[Comparison]:
    """Variants (replicate → value) against the reference, or all pairs where there is none.

    A pair is tested over the seeds that both have, by Student's paired t-test. Where at some seed one of the two failed
    (`Values.failed`) and the other did not, what is left would flatter the one whose poor runs failed: the signed
    ranks over all seeds are tested instead, a failed run ranked worst; where no end of the quantity is worse, the
    verdict is withheld. A pair with one shared seed stays untested, one without any is left out. Runs that cross seeds
    (`stats.variance_components`) are tested as such, by the same t with other degrees of freedom.

    Holm's correction is over `family`, to which these comparisons are added; over these alone where there is none. How
    often something false is said all the same stands in docs/explanation/verdicts.md.
    """
    found = [compare_pair(a, b, groups[a], groups[b]) for a, b in pair_variants(groups, reference)]
    return (Family() if family is None else family).correct([c for c in found if c is not None])


def compare_failures(a: str, b: str, of_a: Mapping[Any, float], of_b: Mapping[Any, float]) -> Failing | None:
    """Whether one of two variants fails more often, seed by seed; `None` where no seed tells them apart, or where runs
    cross seeds or are of folds, so that their failures are not independent.

    Exact, two-sided: of the seeds at which one failed and the other did not, each is either's with probability 1/2 if
    both fail alike (McNemar 1947; Conover 1999, §3.5). Leaving out pairs without such seeds is no choice by results:
    the test is conditional on their number.
    """
    left, right = as_values(of_a), as_values(of_b)
    only = (len(left.failed & right.keys()), len(right.failed & left.keys()))
    both = sorted((left.keys() | left.failed) & (right.keys() | right.failed))
    if not sum(only) or left.overlap or right.overlap or find_crossing(both, np.zeros(len(both))) is not None:
        return None
    n = sum(only)
    tail = sum(math.comb(n, k) for k in range(min(only) + 1)) / 2**n
    return Failing(a, b, only, len(both), min(1.0, 2 * tail), key=comparison_key("failures", left, right))
