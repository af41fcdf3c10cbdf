"""Tests of paired differences that may be looked at after every seed: an e-process and its confidence sequence.

A t-test that is looked at again and again until it shows something raises false alarms without end. The
scale-invariant Gaussian-mixture e-process does not: if the mean difference is 0, the chance that it ever exceeds
1/α is at most α, whenever one looks and for whatever reason one stops (Ville 1939).

Sources: Lai, "On confidence sequences", Annals of Statistics 4 (1976); Pérez-Ortiz, Lardy, de Heide & Grünwald,
"E-statistics, group invariance and anytime-valid testing" (2022); Wang & Ramdas, "Anytime-valid t-tests and
confidence sequences for Gaussian means with unknown variance" (2024), arXiv 2310.03722.

Assumed: differences are independent from seed to seed, and normal; under "both variants are the same" they are
symmetric, which is what keeps the error small for other distributions (accuracies of few points, heavy tails).
Strongly skewed differences of variants that are not the same are not covered.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from probeta.stats.comparisons import ALPHA, holm

Floats = NDArray[np.float64]

VARIANCE = 1.0
"""τ², the variance of the mixture over effects in standard deviations: effects of about 1 are found soonest."""

FIRST_LOOK = 3
"""Seeds before the first look: two differences say nothing of their spread."""


def e_values(differences: Sequence[float] | Floats, variance: float = VARIANCE) -> Floats:
    """E_n for each n: evidence against a mean difference of 0 from the first n differences.

    E_n = (1 + nτ²)^(-1/2) [q / (q - τ² s² / (1 + nτ²))]^(n/2), with s the sum and q the sum of squares of the first
    n differences (Wang & Ramdas 2024, eq. 14 with the Gaussian mixture over the effect size).

    Args:
        differences: `(…, n)`, in the order of the seeds.
        variance: τ², above 0.

    Returns:
        `(…, n)`. Where all differences so far are 0 there is no evidence: (1 + nτ²)^(-1/2).
    """
    d = np.asarray(differences, dtype=np.float64)
    n = np.arange(1, d.shape[-1] + 1)
    s, q = np.cumsum(d, axis=-1), np.cumsum(d * d, axis=-1)
    whole = (1 + n * variance) * q
    share = np.divide(variance * s * s, whole, out=np.zeros_like(q), where=whole > 0)
    log_e: Floats = -0.5 * np.log1p(n * variance) - 0.5 * n * np.log1p(-share)
    with np.errstate(over="ignore"):
        return np.exp(log_e)


def anytime_p(differences: Sequence[float] | Floats, variance: float = VARIANCE) -> float:
    """p = 1 / max E_n over the looks so far, at most 1: valid at whatever seed one stops; 1 before the first look."""
    looks = e_values(differences, variance)[FIRST_LOOK - 1 :]
    return float(min(1.0, 1.0 / looks.max())) if looks.size else 1.0


def confidence_sequence(
    differences: Sequence[float] | Floats, alpha: float = ALPHA, variance: float = VARIANCE
) -> tuple[Floats, Floats]:
    """For each n the interval of the mean difference: all of them hold together with probability 1 - α.

    It is {δ: E_n(d - δ) < 1/α} in closed form: mean ± √(v (K - 1) / (1 - K / (1 + nτ²))) with
    K = ((1 + nτ²)^(1/2) / α)^(2/n) and v the mean squared deviation; infinite while K ≥ 1 + nτ². Each bound keeps what
    earlier looks have excluded.

    Returns:
        `(low, high)`, each `(n,)`; before `FIRST_LOOK` and while nothing is excluded they are infinite.
    """
    d = np.asarray(differences, dtype=np.float64)
    n = np.arange(1, len(d) + 1)
    mean = np.cumsum(d) / n
    spread = np.maximum(np.cumsum(d * d) / n - mean**2, 0.0)
    log_k = (2 / n) * (0.5 * np.log1p(n * variance) - math.log(alpha))
    room = 1 - np.exp(log_k - np.log1p(n * variance))
    known = (room > 0) & (n >= FIRST_LOOK)
    square = np.divide(spread * np.expm1(log_k), room, out=np.full(len(d), np.inf), where=known)
    radius = np.where(known, np.sqrt(square), np.inf)
    return np.maximum.accumulate(mean - radius), np.minimum.accumulate(mean + radius)


LARGER, SMALLER, EQUIVALENT, OPEN = "larger", "smaller", "no difference", "open"


@dataclass(frozen=True)
class Decision:
    """What the seeds so far say of `a` minus `b`."""

    a: str
    b: str
    seeds: int
    """Shared seeds that were looked at."""
    difference: float
    """Their mean difference."""
    low: float
    high: float
    """The confidence sequence at the last look."""
    p: float
    """Anytime-valid, by itself."""
    p_holm: float
    """With Holm's correction over the study's comparisons."""
    verdict: str
    """`larger`, `smaller`, `no difference` (beyond the margin), `open`."""
    decided_at: int | None
    """The shared seeds after which it was decided."""
    forecast: int | None
    """For an open one: about how many seeds it would take if the differences go on as they are."""
    withheld: bool = False
    """Whether runs of its seeds failed: the mean over those that survived decides nothing."""

    @property
    def is_open(self) -> bool:
        return self.verdict == OPEN


def decide(
    differences: Mapping[tuple[str, str], Sequence[float]],
    looks: Sequence[int],
    margin: float | None = None,
    alpha: float = ALPHA,
) -> list[Decision]:
    """Every comparison of a study, decided at the first of `looks` at which its evidence suffices.

    Larger or smaller: Holm over all comparisons on p = 1 / max E is below α. No difference: the confidence sequence
    at α divided by the number of comparisons lies within ± `margin`. A comparison that was decided takes part in
    Holm's correction with the evidence that it had then, so a decision never changes when seeds are added.

    Args:
        differences: (a, b) → `a - b` for each shared seed, in the order in which seeds were added; a comparison
            whose variants were stopped is shorter than others.
        looks: numbers of seeds, rising, after which was looked.
        margin: half-width of what counts as the same; `None`: nothing does.
    """
    decided: dict[tuple[str, str], tuple[str, int]] = {}
    names = list(differences)
    for look in [n for n in looks if n >= FIRST_LOOK]:
        seen = {name: np.asarray(differences[name][:look], dtype=np.float64) for name in names}
        ends = {name: decided[name][1] if name in decided else look for name in names}
        adjusted = holm([anytime_p(seen[name][: ends[name]]) for name in names])
        for name, p in zip(names, adjusted, strict=True):
            if name in decided or len(seen[name]) < look:
                continue
            verdict = _verdict(seen[name], p, margin, alpha, len(names))
            if verdict != OPEN:
                decided[name] = verdict, look
    return _described(differences, decided, margin, alpha)


def _verdict(d: Floats, p: float, margin: float | None, alpha: float, comparisons: int) -> str:
    if p < alpha:
        return LARGER if d.mean() > 0 else SMALLER
    if margin is not None:
        low, high = confidence_sequence(d, alpha / comparisons)
        if -margin <= low[-1] and high[-1] <= margin:
            return EQUIVALENT
    return OPEN


def _described(
    differences: Mapping[tuple[str, str], Sequence[float]],
    decided: Mapping[tuple[str, str], tuple[str, int]],
    margin: float | None,
    alpha: float,
) -> list[Decision]:
    told = {}
    for name, values in differences.items():
        verdict, at = decided.get(name, (OPEN, len(values)))
        told[name] = np.asarray(values[:at], dtype=np.float64), verdict
    adjusted = holm([anytime_p(d) for d, _ in told.values()])
    decisions = []
    for ((a, b), (d, verdict)), p_holm in zip(told.items(), adjusted, strict=True):
        low, high = confidence_sequence(d, alpha) if len(d) else (np.array([-np.inf]), np.array([np.inf]))
        is_open = verdict == OPEN
        decisions.append(
            Decision(
                a, b, len(d), float(d.mean()) if len(d) else math.nan, float(low[-1]), float(high[-1]),
                anytime_p(d), p_holm, verdict, None if is_open else len(d),
                forecast(d, margin, alpha / len(differences)) if is_open else None,
            )
        )  # fmt: skip
    return decisions


def forecast(differences: Floats, margin: float | None, alpha: float, most: int = 100_000) -> int | None:
    """Seeds at which a comparison would be decided if mean and spread stayed as they are; `None`: not by `most`.

    A plug-in: it says the order of magnitude, no more.
    """
    n = len(differences)
    if n < 2:
        return None
    mean, spread = float(np.mean(differences)), float(np.mean((differences - np.mean(differences)) ** 2))
    if spread == 0.0 and mean == 0.0:
        return None
    candidates = np.unique(np.geomspace(n + 1, most, 2000).astype(int))
    size = 1 + candidates * VARIANCE
    share = candidates * VARIANCE * mean**2 / (size * (mean**2 + spread))
    found = -0.5 * np.log(size) - 0.5 * candidates * np.log1p(-share) > -math.log(alpha)
    if margin is not None and abs(mean) < margin:
        log_k = (2 / candidates) * (0.5 * np.log(size) - math.log(alpha))
        room = 1 - np.exp(log_k) / size
        radius = np.sqrt(np.divide(spread * np.expm1(log_k), room, out=np.full(len(size), np.inf), where=room > 0))
        found |= abs(mean) + radius <= margin
    return int(candidates[found.argmax()]) if found.any() else None


Outcomes = dict[str, dict[int, float | None]]
"""Variant → seed → the metric, `None` where the run failed; seeds in the order in which they were added."""


def settle(
    outcomes: Outcomes, reference: str | None, at: Sequence[int], margin: float | None = None, until: int | None = None
) -> list[Decision]:
    """The decisions on every variant against `reference`, or on all pairs where there is none.

    A comparison with failed runs on either side is withheld from the first look that saw one, and takes no part in
    the correction: whether to compare was then not chosen by the values that are compared.
    """
    names = list(outcomes)
    if reference in outcomes:
        pairs = [(name, str(reference)) for name in names if name != reference]
    else:
        pairs = [(b, a) for a, b in itertools.combinations(names, 2)]
    whole: dict[tuple[str, str], list[float]] = {}
    broken: dict[tuple[str, str], list[float]] = {}
    for a, b in pairs:
        both = [(outcomes[a][seed], outcomes[b][seed]) for seed in outcomes[a] if seed in outcomes[b]]
        differences = [x - y for x, y in both if x is not None and y is not None]
        (whole if len(differences) == len(both) else broken)[a, b] = differences
    told = {(d.a, d.b): d for d in decide(whole, [n for n in at if until is None or n <= until], margin)}
    for pair, differences in broken.items():
        told[pair] = replace(_described({pair: differences}, {}, margin, ALPHA)[0], forecast=None, withheld=True)
    return [told[pair] for pair in pairs]


def looks(most: int, first: int = FIRST_LOOK) -> list[int]:
    """Numbers of seeds after which a study looks: each a half more than the last (3, 5, 8, 12, 18 …), then `most`.

    They are the same on every launcher, so that its decisions are too.
    """
    found = [min(first, most)]
    while found[-1] < most:
        found.append(min(most, math.ceil(found[-1] * 1.5)))
    return found
