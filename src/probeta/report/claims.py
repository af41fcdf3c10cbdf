"""Sentences that follow from results. Each is a function of numbers; none is written beforehand.

The numbers of a variant are `replicate → value` (a replicate is a seed, or a pair of seeds), so that variants are
compared in pairs over the seeds that they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from probeta.report.answer import Claim, Verdict
from probeta.report.language import Language
from probeta.stats.comparisons import ALPHA, Comparison, compare, holm, paired_p
from probeta.stats.intervals import mean_interval

LEAST_RATIO = math.log(1.01)
"""A factor nearer to 1 than 1.01 is not worth a verdict, however little noise there is."""

Sample = Mapping[Any, float]
Groups = Mapping[str, Sample]


@dataclass(frozen=True)
class Expectation:
    """A claim that `above` lies above `below` in some quantity, seed by seed."""

    statement: str
    above: Sample
    below: Sample
    because: str = ""
    ratio: bool = False
    """Compare quotients, as suits what spreads over orders of magnitude: values must be above 0."""


def judge(expectations: Sequence[Expectation], language: Language) -> list[Claim]:
    """Two-sided paired t-tests of all `expectations`, with Holm's correction over them.

    A claim holds, or fails, where the difference is more than noise at 5 % (and a factor no nearer to 1 than 1.01);
    else it is open. One without two
    shared seeds is open.
    """
    found = [_differences(e) for e in expectations]
    differences = [d for d, _ in found]
    p = [paired_p(d, scale) for d, scale in found]
    tested = [i for i, value in enumerate(p) if value is not None]
    adjusted = dict(zip(tested, holm([p[i] or 0.0 for i in tested]), strict=True))
    claims = []
    for i, (e, d) in enumerate(zip(expectations, differences, strict=True)):
        if i not in adjusted:
            evidence = language.say("not tested: fewer than two seeds have both")
            claims.append(Claim(e.statement, Verdict.OPEN, evidence, e.because))
            continue
        mean, chance = float(np.mean(d)), adjusted[i]
        small = e.ratio and abs(mean) < LEAST_RATIO
        verdict = Verdict.OPEN if chance >= ALPHA or small else Verdict.HOLDS if mean > 0 else Verdict.FAILS
        claims.append(Claim(e.statement, verdict, _evidence(e.ratio, d, found[i][1], chance, language), e.because))
    return claims


def _differences(e: Expectation) -> tuple[list[float], float]:
    """Seed by seed, and the magnitude of what was subtracted (for what counts as rounding)."""
    shared = [key for key in e.above if key in e.below]
    pairs = [(e.above[key], e.below[key]) for key in shared]
    if e.ratio:
        # A relative error of a value is an absolute one of its logarithm.
        return [math.log(a) - math.log(b) for a, b in pairs if a > 0 and b > 0], 1.0
    return [a - b for a, b in pairs], max((max(abs(a), abs(b)) for a, b in pairs), default=0.0)


def _evidence(ratio: bool, differences: Sequence[float], scale: float, p: float, language: Language) -> str:
    mean = float(np.mean(differences))
    interval = mean_interval(differences, scale=scale)
    assert interval is not None  # two differences were tested
    if ratio:
        mean = math.exp(mean)
        interval = replace(interval, low=math.exp(interval.low), high=math.exp(interval.high))
        message = language.say("factor {value} ({interval}; {n} seeds, {p})")
        value = language.number(mean, 3)
    else:
        message = language.say("difference {value} ({interval}; {n} seeds, {p})")
        value = language.signed(mean, 3)
    return message.format(value=value, interval=language.interval_named(interval), n=len(differences), p=language.p(p))


def counted(statement: str, hits: int, total: int, language: Language, because: str = "") -> Claim:
    """A claim about every case: it holds where all of them agree, and one that does not refutes it."""
    verdict = Verdict.OPEN if total == 0 else Verdict.HOLDS if hits == total else Verdict.FAILS
    return Claim(statement, verdict, language.say("in {hits} of {total} cases", hits=hits, total=total), because)


def lead(metric: str, groups: Groups, language: Language, *, up: bool = True) -> str:
    """Which variant is ahead in `metric` (already in words), by how much, and ahead of whom beyond noise.

    All pairs are tested, since the leader is only known from the results (Holm's correction over them).
    """
    groups = {name: values for name, values in groups.items() if values}
    if not groups:
        return language.say("{metric}: no run has completed.", metric=metric)
    groups, shared = over_shared_seeds(groups)
    metric = metric[:1].upper() + metric[1:]
    sign = 1.0 if up else -1.0
    means = {name: float(np.mean(list(values.values()))) for name, values in groups.items()}
    best = max(means, key=lambda name: sign * means[name])
    ties = [name for name in means if means[name] == means[best]]
    shown = language.number(means[best])
    if len(ties) == len(means) > 1:
        return language.say("{metric}: all variants reach the same mean, {mean}.", metric=metric, mean=shown)
    if len(ties) > 1:
        told = language.say("{metric}: {names} share the best mean, {mean}.", metric=metric,
                            names=language.list(ties), mean=shown)  # fmt: skip
    else:
        interval = mean_interval(list(groups[best].values()))
        numbers = language.interval_named(interval) if interval else ""
        n = language.count("{n} seed", "{n} seeds", len(groups[best]))
        if up:
            message = language.say("{metric}: the highest mean is that of {name}, {mean} ({numbers}).")
        else:
            message = language.say("{metric}: the lowest mean is that of {name}, {mean} ({numbers}).")
        together = ", ".join(filter(None, (numbers, n)))
        told = message.format(metric=metric, name=best, mean=shown, numbers=together)
    return " ".join(filter(None, (told, _ahead(best, ties, groups, means, sign, language) if shared else "")))


def over_shared_seeds(groups: Groups) -> tuple[Groups, bool]:
    """The values at the seeds that all variants have: means in a sentence are of what is tested in it. Where they
    share none, `groups` as they are and False: nothing is then tested.
    """
    shared = set.intersection(*(set(values) for values in groups.values()))
    if not shared:
        return groups, False
    return {name: {seed: v for seed, v in values.items() if seed in shared} for name, values in groups.items()}, True


def _ahead(
    best: str, ties: Sequence[str], groups: Groups, means: Mapping[str, float], sign: float, language: Language
) -> str:
    """Of whom `best` is ahead by more than noise, and of whom not; the nearest rival's figures."""
    found = {}
    comparisons = compare(groups)
    for c in comparisons:
        if best in (c.a, c.b):
            rival = c.b if c.a == best else c.a
            if rival not in ties:
                found[rival] = c
    if not found or any(c.p_holm is None for c in found.values()):
        return ""
    rivals = sorted(found, key=lambda name: -sign * means[name])
    beyond = [name for name in rivals if found[name].differs]
    within = [name for name in rivals if not found[name].differs]
    nearest = found[rivals[0]]
    distance, p = language.number(abs(nearest.difference), 3), language.p(nearest.p_holm or 0.0)
    if len(comparisons) == 1:
        if beyond:
            return language.say("Ahead of {name} by {difference}, more than noise ({p}).", name=rivals[0],
                                difference=distance, p=p)  # fmt: skip
        return language.say("Ahead of {name} by {difference}, no more than noise ({p}).", name=rivals[0],
                            difference=distance, p=p)  # fmt: skip
    figures = language.say(
        "nearest: {name}, {difference} away; {p} after Holm's correction over {k} pairs",
        name=rivals[0], difference=distance, p=p, k=len(comparisons),
    )  # fmt: skip
    if not within:
        return language.say("Ahead of all others by more than noise ({figures}).", figures=figures)
    if not beyond:
        return language.say("No more than noise against any of the others ({figures}).", figures=figures)
    return language.say(
        "Ahead of {beyond} by more than noise, but not of {within} ({figures}).",
        beyond=language.list(beyond), within=language.list(within), figures=figures,
    )  # fmt: skip


def span(metric: str, groups: Groups, language: Language) -> str:
    """From where to where the variants' means go, for a number of which neither more nor less is better."""
    means = {name: float(np.mean(list(values.values()))) for name, values in groups.items() if values}
    metric = metric[:1].upper() + metric[1:]
    if not means:
        return language.say("{metric}: no run has completed.", metric=metric)
    low, high = min(means.values()), max(means.values())
    lowest, highest = (language.list(n for n, mean in means.items() if mean == end) for end in (low, high))
    return language.say(
        "{metric}: from {low} ({lowest}) to {high} ({highest}), means over the seeds.",
        metric=metric, low=language.number(low, 3), lowest=lowest, high=language.number(high, 3), highest=highest,
    )  # fmt: skip


def against(metric: str, groups: Groups, reference: str, language: Language) -> list[str]:
    """Each variant against `reference` in `metric` (already in words), whether more than noise or not."""
    metric = metric[:1].upper() + metric[1:]
    return [_against(metric, c, language) for c in compare(groups, reference) if c.p_holm is not None]


def _against(metric: str, c: Comparison, language: Language) -> str:
    if c.differs:
        message = language.say("{metric}: {a} differs from {b} by {difference}, more than noise ({interval}, {p}).")
    else:
        message = language.say("{metric}: {a} differs from {b} by {difference}, no more than noise ({interval}, {p}).")
    return message.format(
        metric=metric, a=c.a, b=c.b, difference=language.signed(c.difference, 3),
        interval=language.interval_named(c.interval) if c.interval else "", p=language.p(c.p_holm or 0.0),
    )  # fmt: skip
