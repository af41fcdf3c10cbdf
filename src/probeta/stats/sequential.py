"""Tests of paired differences that may be looked at after every seed: an e-process and its confidence sequence.

A t-test that is looked at again and again until it shows something raises false alarms without end. The
scale-invariant Gaussian-mixture e-process does not: if the mean difference is 0, the chance that it ever exceeds
1/α is at most α, whenever one looks and for whatever reason one stops (Ville 1939).

Sources: Lai, "On confidence sequences", Annals of Statistics 4 (1976); Pérez-Ortiz, Lardy, de Heide & Grünwald,
"E-statistics, group invariance and anytime-valid testing" (2022); Wang & Ramdas, "Anytime-valid t-tests and
confidence sequences for Gaussian means with unknown variance" (2024), arXiv 2310.03722.

Its guarantee is for normal differences. Under "both variants are the same" paired differences are symmetric, but not
normal: where they are one point of a test set, up or down, at every seed, it raises false alarms in 9 % of studies. So
evidence must be that of a second process too, of the signs given the sizes, exact for any symmetric differences. What
that leaves, and after how many seeds effects are decided, stands in docs/explanation/verdicts.md.

Assumed: differences are independent from seed to seed. The confidence sequence is that of the first process; a mean
difference other than 0, of strongly skewed differences, may be left out more often.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from probeta.stats.comparisons import ALPHA, holm, pair_variants
from probeta.stats.intervals import merge_rounding

Floats = NDArray[np.float64]

VARIANCE = 1.0
"""τ², the variance of the mixture over effects in standard deviations: effects of about 1 are found soonest."""

SIGNS_SCALE = 1.5
"""Standard deviation of the mixture of `sign_e_values`, chosen so that eight equal differences are enough for one."""

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


def sign_e_values(differences: Sequence[float] | Floats) -> Floats:
    """M_n for each n: evidence against differences that are symmetric about 0, whatever their sizes.

    M_n = E_θ ∏ exp(θ z_i) / cosh(θ z_i), with z_i the difference over the root mean square of those before it and
    θ ~ N(0, `SIGNS_SCALE`²), on the 24 points of its Gauss–Hermite quadrature. Given the sizes, each factor has mean 1
    over the two signs: a martingale under symmetry, with no assumption on the sizes (after de la Peña, Annals of
    Probability 27, 1999).

    Args:
        differences: `(…, n)`, in the order of the seeds.

    Returns:
        `(…, n)`; 1 for the first, which has none before it.
    """
    d = np.asarray(differences, dtype=np.float64)
    before = np.cumsum(d * d, axis=-1) - d * d
    size = np.sqrt(before / np.maximum(np.arange(d.shape[-1]), 1))
    z = np.divide(d, size, out=np.zeros_like(d), where=size > 0)
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    evidence = np.zeros_like(d)
    for node, weight in zip(nodes * SIGNS_SCALE, weights / weights.sum(), strict=True):
        x = node * z
        evidence += weight * np.exp(np.cumsum(x - np.logaddexp(x, -x) + math.log(2), axis=-1))
    return evidence


def anytime_p(differences: Sequence[float] | Floats) -> Floats:
    """For each n, p = 1 / max min(E_m, M_m) over the seeds so far, at most 1: valid at whatever seed one stops, if
    differences are symmetric or normal where there is no difference. 1 before the first look.

    Args:
        differences: `(…, n)`, in the order of the seeds.

    Returns:
        `(…, n)`.
    """
    evidence = np.minimum(e_values(differences), sign_e_values(differences))
    evidence[..., : FIRST_LOOK - 1] = 1.0
    p: Floats = 1.0 / np.maximum.accumulate(np.maximum(evidence, 1.0), axis=-1)
    return p


def confidence_sequence(differences: Sequence[float] | Floats, alpha: float = ALPHA) -> tuple[Floats, Floats]:
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
    log_k = (2 / n) * (0.5 * np.log1p(n * VARIANCE) - math.log(alpha))
    room = 1 - np.exp(log_k - np.log1p(n * VARIANCE))
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

    Larger or smaller: Holm over all comparisons on `anytime_p` is below α. No difference: the confidence sequence
    at α divided by the number of comparisons lies within ± `margin`. A comparison that was decided takes part in
    Holm's correction with the evidence that it had then, so a decision never changes when seeds are added.

    Args:
        differences: (a, b) → `a - b` for each shared seed, in the order in which seeds were added; a comparison
            whose variants were stopped is shorter than others.
        looks: numbers of seeds, rising, after which was looked.
        margin: half-width of what counts as the same; `None`: nothing does.
    """
    decided: dict[tuple[str, str], tuple[str, int]] = {}
    values = {name: np.asarray(d, dtype=np.float64) for name, d in differences.items()}
    p_values = {name: anytime_p(d) for name, d in values.items()}
    for look in [n for n in looks if n >= FIRST_LOOK]:
        seen = {name: min(decided[name][1] if name in decided else look, len(d)) for name, d in values.items()}
        adjusted = holm([_p_after(p_values[name], n) for name, n in seen.items()])
        for name, p in zip(values, adjusted, strict=True):
            if name in decided or len(values[name]) < look:
                continue
            verdict = _verdict(values[name][:look], p, margin, alpha, len(values))
            if verdict != OPEN:
                decided[name] = verdict, look
    return _described(differences, decided, margin, alpha)


def _p_after(p: Floats, n: int) -> float:
    return float(p[n - 1]) if n else 1.0


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
    p_values = [_p_after(anytime_p(d), len(d)) for d, _ in told.values()]
    adjusted = holm(p_values)
    decisions = []
    for ((a, b), (d, verdict)), p, p_holm in zip(told.items(), p_values, adjusted, strict=True):
        low, high = confidence_sequence(d, alpha) if len(d) else (np.array([-np.inf]), np.array([np.inf]))
        is_open = verdict == OPEN
        decisions.append(
            Decision(
                a, b, len(d), float(d.mean()) if len(d) else math.nan, float(low[-1]), float(high[-1]),
                p, p_holm, verdict, None if is_open else len(d),
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
"""Variant → seed → the metric (a `Fraction` where counts are known), `None` where the run failed; seeds in the order in
which they were added."""


def paired_differences(a: Mapping[int, float | None], b: Mapping[int, float | None]) -> tuple[list[float], int]:
    """`a - b` at each seed that both have, ties merged, in the order of `a`; and at how many one of them failed."""
    both = [(a[seed], b[seed]) for seed in a if seed in b]
    known = [(x, y) for x, y in both if x is not None and y is not None]
    scale = max((abs(value) for values in known for value in values), default=0.0)
    return merge_rounding([x - y for x, y in known], scale).tolist(), len(both) - len(known)


def settle(
    outcomes: Outcomes, reference: str | None, at: Sequence[int], margin: float | None = None, until: int | None = None
) -> list[Decision]:
    """The decisions on every variant against `reference`, or on all pairs where there is none.

    A comparison with failed runs on either side is withheld from the first look that saw one, and takes no part in
    the correction: whether to compare was then not chosen by the values that are compared.
    """
    pairs = pair_variants(outcomes, reference)
    whole: dict[tuple[str, str], list[float]] = {}
    broken: dict[tuple[str, str], list[float]] = {}
    for a, b in pairs:
        differences, lost = paired_differences(outcomes[a], outcomes[b])
        (broken if lost else whole)[a, b] = differences
    told = {(d.a, d.b): d for d in decide(whole, [n for n in at if until is None or n <= until], margin)}
    for pair, differences in broken.items():
        told[pair] = replace(_described({pair: differences}, {}, margin, ALPHA)[0], forecast=None, withheld=True)
    return [told[pair] for pair in pairs]


def schedule_looks(most: int) -> list[int]:
    """Numbers of seeds after which a study looks: each a half more than the last (3, 5, 8, 12, 18 …), then `most`.

    They are the same on every launcher, so that its decisions are too.
    """
    found = [min(FIRST_LOOK, most)]
    while found[-1] < most:
        found.append(min(most, math.ceil(found[-1] * 1.5)))
    return found
