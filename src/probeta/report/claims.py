"""Sentences that follow from results. Each is a function of numbers; none is written beforehand.

The numbers of a variant are `replicate → value` (a replicate is a seed, or a pair of seeds), so that variants are
compared in pairs over the seeds that they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from probeta.report.answer import Claim, Verdict
from probeta.report.language import Language
from probeta.report.verdicts import no_difference
from probeta.stats.comparisons import Comparison, compare_pair
from probeta.stats.families import Family, compare
from probeta.stats.intervals import Interval, mean_interval
from probeta.stats.values import Values, as_values

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


def judge(expectations: Sequence[Expectation], language: Language, family: Family | None = None) -> list[Claim]:
    """Each expectation tested as `stats.comparisons.compare_pair` tests, corrected over `family` (or these alone).

    A claim holds, or fails, where the difference is more than noise at 5 % and large enough to be worth telling; else
    it is open. One without two shared seeds is open, and so is one that failed runs keep from being tested.
    """
    found = [compare_pair("", "", e.above, e.below, ratio=e.ratio) for e in expectations]
    corrected = iter((Family() if family is None else family).correct([c for c in found if c is not None]))
    claims = []
    for e, c in zip(expectations, [None if c is None else next(corrected) for c in found], strict=True):
        verdict = Verdict.OPEN if c is None or not c.differs else Verdict.HOLDS if c.sign > 0 else Verdict.FAILS
        claims.append(Claim(e.statement, verdict, _evidence(c, language), e.because))
    return claims


def _evidence(c: Comparison | None, language: Language) -> str:
    """Runs that failed first, then the difference, its interval, and p after correction."""
    parts = []
    if c is not None and any(c.failed):
        parts.append(language.say("failed: {k} and {j}", k=c.failed[0], j=c.failed[1]))
    if c is None or c.p_holm is None:
        untested = language.say("not tested: fewer than two seeds have both")
        parts.append(no_difference(c, language) if c is not None and c.withheld else untested)
        return "; ".join(parts)
    numbers = [] if c.interval is None else [language.interval_named(_exp(c.interval) if c.ratio else c.interval)]
    if c.ranked:
        numbers.append(language.say("signed ranks, failed runs ranked worst"))
    if c.only_alone:
        numbers.append(no_difference(c, language))
    numbers.append(language.count("{n} seed", "{n} seeds", c.seeds) + ", " + language.p(c.p_holm))
    if c.ratio:
        value = language.say("factor {value}", value=language.number(math.exp(c.difference), 3))
    else:
        value = language.say("difference {value}", value=language.signed(c.difference, 3))
    parts.append(f"{value} ({'; '.join(numbers)})")
    return "; ".join(parts)


def _exp(interval: Interval) -> Interval:
    return replace(interval, low=math.exp(interval.low), high=math.exp(interval.high))


def counted(statement: str, hits: int, total: int, language: Language, because: str = "") -> Claim:
    """A claim about every case: it holds where all of them agree, and one that does not refutes it."""
    verdict = Verdict.OPEN if total == 0 else Verdict.HOLDS if hits == total else Verdict.FAILS
    return Claim(statement, verdict, language.say("in {hits} of {total} cases", hits=hits, total=total), because)


def lead(metric: str, groups: Groups, language: Language, *, up: bool = True, family: Family | None = None) -> str:
    """Which variant is ahead in `metric` (already in words), by how much, and ahead of whom beyond noise.

    All pairs are tested, since the leader is only known from the results (Holm's correction over `family`).
    """
    groups = {name: values for name, values in groups.items() if values}
    if not groups:
        return language.say("{metric}: no run has completed.", metric=metric)
    comparisons, everyone = compare(groups, None, family), groups
    groups, shared = over_shared_seeds(groups)
    metric = metric[:1].upper() + metric[1:]
    sign = 1.0 if up else -1.0
    means = {name: float(mean(values.values())) for name, values in groups.items()}
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
    ahead = _ahead(best, ties, comparisons, means, sign, language) if shared else ""
    return " ".join(filter(None, (told, _lost(everyone, language), ahead)))


def over_shared_seeds(groups: Groups) -> tuple[Groups, bool]:
    """The values at the seeds that all variants have: means in a sentence are of what is tested in it. Where they
    share none, `groups` as they are and False: nothing is then tested. Of three variants or more, one that lost half
    of its runs or more has no mean: the few seeds that it survived would be all that is said of the others.
    """
    sound = {name: values for name, values in groups.items() if len(as_values(values).failed) < len(values)}
    groups = sound if len(sound) > 1 else groups
    shared = set.intersection(*(set(values) for values in groups.values()))
    if not shared:
        return groups, False
    kept = {name: {seed: v for seed, v in values.items() if seed in shared} for name, values in groups.items()}
    return {name: Values(values, as_values(groups[name]).failed) for name, values in kept.items()}, True


def _lost(groups: Groups, language: Language) -> str:
    """Of which variants how many runs are not in the means; empty where none failed."""
    lost = {name: failed for name, values in groups.items() if (failed := len(as_values(values).failed))}
    if not lost:
        return ""
    told = language.list(
        language.say("{name} {k} of {n}", name=name, k=k, n=k + len(groups[name])) for name, k in lost.items()
    )
    return language.say("Runs that failed, and are not in these means: {failed}.", failed=told)


def _ahead(
    best: str,
    ties: Sequence[str],
    comparisons: Sequence[Comparison],
    means: Mapping[str, float],
    sign: float,
    language: Language,
) -> str:
    """Of whom `best` is ahead by more than noise, and of whom not; the nearest rival's figures."""
    found = {}
    for c in comparisons:
        if best in (c.a, c.b):
            rival = c.b if c.a == best else c.a
            if rival not in ties:
                found[rival] = c
    if not found or any(c.p_holm is None for c in found.values()):
        return ""
    rivals = sorted(found, key=lambda name: -sign * means.get(name, -sign * math.inf))
    side = {name: found[name].sign * sign * (1 if found[name].a == best else -1) for name in rivals}
    if behind := [name for name in rivals if found[name].differs and side[name] < 0]:
        # Its mean is the best of those that survived; with the runs that did not, it is not.
        return language.say("With failed runs ranked worst it is behind {names}, by more than noise ({p}).",
                            names=language.list(behind), p=_corrected(found[behind[0]], language))  # fmt: skip
    beyond = [name for name in rivals if found[name].differs]
    within = [name for name in rivals if not found[name].differs]
    nearest = found[rivals[0]]
    distance, p = language.number(abs(nearest.difference), 3), _corrected(nearest, language)
    if len(comparisons) == 1:
        if beyond:
            return language.say("Ahead of {name} by {difference}, more than noise ({p}).", name=rivals[0],
                                difference=distance, p=p)  # fmt: skip
        return language.say("Ahead of {name} by {difference}, no more than noise ({p}).", name=rivals[0],
                            difference=distance, p=p)  # fmt: skip
    figures = language.say("nearest: {name}, {difference} away; {p}", name=rivals[0], difference=distance, p=p)
    if not within:
        return language.say("Ahead of all others by more than noise ({figures}).", figures=figures)
    if not beyond:
        return language.say("No more than noise against any of the others ({figures}).", figures=figures)
    return language.say(
        "Ahead of {beyond} by more than noise, but not of {within} ({figures}).",
        beyond=language.list(beyond), within=language.list(within), figures=figures,
    )  # fmt: skip


def _corrected(c: Comparison, language: Language) -> str:
    """p after correction, over how many; where the difference is too small to be worth telling, that."""
    p = language.p(1.0 if c.p_holm is None else c.p_holm)
    if c.family > 1:
        p = language.say("{p} after Holm's correction over {k} comparisons", p=p, k=c.family)
    return f"{p}; {no_difference(c, language)}" if c.only_alone and c.small else p


def span(metric: str, groups: Groups, language: Language) -> str:
    """From where to where the variants' means go, for a number of which neither more nor less is better."""
    means = {name: float(mean(values.values())) for name, values in groups.items() if values}
    metric = metric[:1].upper() + metric[1:]
    if not means:
        return language.say("{metric}: no run has completed.", metric=metric)
    low, high = min(means.values()), max(means.values())
    lowest, highest = (language.list(n for n, value in means.items() if value == end) for end in (low, high))
    return language.say(
        "{metric}: from {low} ({lowest}) to {high} ({highest}), means over the seeds.",
        metric=metric, low=language.number(low, 3), lowest=lowest, high=language.number(high, 3), highest=highest,
    )  # fmt: skip


def against(metric: str, groups: Groups, reference: str, language: Language, family: Family | None = None) -> list[str]:
    """Each variant against `reference` in `metric` (already in words), whether more than noise or not."""
    metric = metric[:1].upper() + metric[1:]
    return [_against(metric, c, language) for c in compare(groups, reference, family) if c.p_holm is not None]


def _against(metric: str, c: Comparison, language: Language) -> str:
    if c.differs:
        message = language.say("{metric}: {a} differs from {b} by {difference}, more than noise ({numbers}).")
    else:
        message = language.say("{metric}: {a} differs from {b} by {difference}, no more than noise ({numbers}).")
    lost = language.say("failed: {k} and {j}", k=c.failed[0], j=c.failed[1]) if any(c.failed) else ""
    interval = language.interval_named(c.interval) if c.interval else ""
    numbers = ", ".join(filter(None, (lost, interval, _corrected(c, language))))
    return message.format(metric=metric, a=c.a, b=c.b, difference=language.signed(c.difference, 3), numbers=numbers)
