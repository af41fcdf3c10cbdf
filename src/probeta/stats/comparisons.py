"""What a handful of seeds can say: intervals by bootstrap, differences by paired tests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from probeta.stats.intervals import bootstrap_interval

ALPHA = 0.05


def paired_p(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of "the mean difference is 0", by Student's paired t-test; `None` for n < 2.

    Where all differences are the same number the t statistic does not exist: the exact sign-flip test
    answers instead (p = 2^(1-n), and 1 where that number is 0).
    """
    n = len(differences)
    if n < 2:
        return None
    d = np.asarray(differences, dtype=np.float64)
    spread = float(d.std(ddof=1))
    mean = float(d.mean())
    if spread <= 1e-12 * max(abs(mean), 1e-300):
        return 1.0 if mean == 0.0 else 2.0 ** (1 - n)
    from scipy.special import stdtr

    return float(2.0 * stdtr(n - 1, -abs(mean / (spread / math.sqrt(n)))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): adjusted p-values, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


@dataclass(frozen=True)
class Comparison:
    """`a` minus `b` in one metric, over the seeds that both have."""

    a: str
    b: str
    seeds: int
    difference: float
    interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None

    @property
    def differs(self) -> bool:
        return self.p_holm is not None and self.p_holm < ALPHA


def compare(groups: Mapping[str, Mapping[Any, float]], reference: str | None = None) -> list[Comparison]:
    """Variants (replicate → value) against the reference, or all pairs where there is none.

    Holm's correction is over all these comparisons. A pair with one shared seed stays untested, one
    without any is left out.
    """
    names = list(groups)
    if reference is not None and reference in groups:
        pairs = [(name, reference) for name in names if name != reference]
    else:
        pairs = [(b, a) for a, b in itertools.combinations(names, 2)]
    found = []
    for a, b in pairs:
        shared = [seed for seed in groups[a] if seed in groups[b]]
        if not shared:
            continue
        differences = [groups[a][seed] - groups[b][seed] for seed in shared]
        mean = float(np.mean(differences))
        found.append(Comparison(a, b, len(shared), mean, bootstrap_interval(differences), paired_p(differences), None))
    tested = [i for i, c in enumerate(found) if c.p is not None]
    adjusted = holm([found[i].p or 0.0 for i in tested])
    for i, p in zip(tested, adjusted, strict=True):
        c = found[i]
        found[i] = Comparison(c.a, c.b, c.seeds, c.difference, c.interval, c.p, p)
    return found
