"""Comparisons and intervals in words: a difference is called one only where the test does, failed runs are told first,
and an interval says what it is about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from probeta.metrics.direction import direction, is_maximised
from probeta.report.language import Language
from probeta.report.summary import Summary, overlap_of
from probeta.runs.row import RunRow
from probeta.stats.comparisons import ALPHA, Comparison, Withheld
from probeta.stats.families import Failing


def verdict(c: Comparison, metric: str, language: Language) -> str:
    """One sentence on a comparison of `metric`, with its numbers."""
    say = language.say
    a, b = (_side(name, failed, c, language) for name, failed in zip((c.a, c.b), c.failed, strict=True))
    if c.p_holm is None:
        told = language.count("not tested, they share {n} seed", "not tested, they share {n} seeds", c.seeds)
        return say("{a} and {b}: {what}", a=a, b=b, what=no_difference(c, language) if c.withheld else told)
    interval = f", {language.interval_named(c.interval)}" if c.interval else ""
    over = (
        say("{metric} {change} over {n} shared folds{interval}; p = {p}, Holm {holm}")
        if c.folds
        else say("{metric} {change} over {n} shared seeds{interval}; p = {p}, Holm {holm}")
    )
    numbers = over.format(
        metric=language.metric(metric), change=language.signed(c.difference), n=c.seeds, interval=interval,
        p=language.number(c.p, 2), holm=language.number(c.p_holm, 2),
    )  # fmt: skip
    if c.ranked:
        numbers = f"{say('signed ranks, failed runs ranked worst')}; {numbers}"
    if not c.differs:
        return say("{a} and {b}: {what}", a=a, b=b, what=f"{no_difference(c, language)} ({numbers})")
    if direction(metric) is None:
        message = say("{a} is higher than {b} ({numbers})") if c.sign > 0 else say("{a} is lower than {b} ({numbers})")
    elif (c.sign > 0) == is_maximised(metric):
        message = say("{a} is better than {b} ({numbers})")
    else:
        message = say("{a} is worse than {b} ({numbers})")
    return message.format(a=a, b=b, numbers=numbers)


def rank_first(c: Comparison, metric: str, language: Language) -> str:
    """What a difference says of the first of the two, in a table."""
    say = language.say
    if direction(metric) is None:
        return say("first is higher") if c.sign > 0 else say("first is lower")
    return say("first is better") if (c.sign > 0) == is_maximised(metric) else say("first is worse")


def no_difference(c: Comparison, language: Language) -> str:
    """What is said where none is called one, so that the interval beside it is not read as its opposite."""
    if c.withheld is Withheld.STOPPED:
        return language.say("not tested, since seeds were added until the study had decided")
    if c.withheld is Withheld.FAILED:
        return language.say("withheld, since runs failed")
    if c.withheld is Withheld.FOLDS:
        return language.say("not tested, since folds overlap and some of their runs failed")
    if c.withheld is Withheld.CROSSED:
        return language.say("not tested, since runs share seeds and some of them are missing")
    if c.p_holm is None:
        return language.say("not tested")
    if c.small and c.p_holm < ALPHA:
        return language.say("too small to be worth telling")
    if c.only_alone and c.family > 1:
        return language.say("no difference shown among {k} comparisons", k=c.family)
    return language.say("no difference shown")


def failing_more(c: Failing, language: Language) -> str:
    """One sentence on whether one of two variants fails more often than the other."""
    say = language.say
    if not c.differs:
        message = say("{a} and {b}: not shown that one fails more often ({numbers})")
    elif c.only[0] > c.only[1]:
        message = say("{a} fails more often than {b} ({numbers})")
    else:
        message = say("{a} fails less often than {b} ({numbers})")
    numbers = say(
        "alone at {k} and at {j} of {n} seeds; exact sign test, p = {p}, Holm {holm}",
        k=c.only[0], j=c.only[1], n=c.seeds, p=language.number(c.p, 2), holm=language.number(c.p_holm, 2),
    )  # fmt: skip
    return message.format(a=say(c.a), b=say(c.b), numbers=numbers)


def say_folds(runs: Sequence[RunRow], language: Language) -> str:
    """What runs of folds are, and how intervals and tests take that into account."""
    examples = runs[0].result["examples"]
    return language.say(
        "Runs are of folds: each tests on {test} examples that no other fold tests on and trains on {train}, most of "
        "which other folds train on too. Intervals and tests are those of the corrected resampled t-test (Nadeau & "
        "Bengio 2003): the variance of a mean over n folds is s² (1/n + {test}/{train}).",
        test=examples["test"], train=examples["train"],
    )  # fmt: skip


def say_tested(summary: Summary, language: Language) -> str:
    """By which test pairs are compared; empty where it is the paired t-test over seeds."""
    if not any(c.folds for c in summary.comparisons):
        return ""
    return language.say(
        "Corrected resampled t-test over the folds that both variants share (Nadeau & Bengio 2003), at 5 %, with "
        "Holm's correction over all comparisons of this page ({k}). The interval is the 95 % interval of that "
        "difference alone.",
        k=len(summary.family),
    )  # fmt: skip


def _side(name: str, failed: int, c: Comparison, language: Language) -> str:
    """A variant, and how many of its runs are not in the numbers where any of the two lacks some."""
    if not sum(c.failed):
        return language.say(name)
    return language.say("{name} ({n} failed)", name=language.say(name), n=failed)


def interval_subject(summary: Summary, metrics: Sequence[str], language: Language) -> list[str]:
    """What the intervals of means are about: over what, and for a share of counted cases what those alone would allow.

    The standard error of a share p of n cases is √(p (1 - p) / n). Where all runs are measured on the same cases, it is
    an uncertainty that seeds do not show; where each draws its own, it is part of the spread.
    """
    say, runs = language.say, [run for run in summary.sweep.runs if run.completed]
    if not any(m.interval for group in summary.groups for m in group.measured.values()):
        return []
    data = [{run.result.get("data_sha256") for run in group.runs if run.completed} for group in summary.groups]
    drawn, told = any(len(hashes) > 1 for hashes in data), []
    if folds := [run for run in runs if overlap_of([run])]:
        told.append(say_folds(folds, language))
    elif drawn:
        told.append(say("Intervals are over seeds and the data drawn with them."))
    elif not any(None in hashes for hashes in data):
        told.append(say("Intervals are over seeds, on the same data."))
    for name in metrics:
        totals = {count[1] for run in runs if (count := run.count(name)) is not None}
        if len(totals) != 1 or any(run.count(name) is None for run in runs if name in run.metrics):
            continue
        [n] = totals
        means = [mean for group in summary.groups if (mean := group.measured[name].mean) is not None]
        errors = sorted(math.sqrt(max(p * (1 - p), 0.0) / n) for p in means)
        low, high = language.number(errors[0], 2), language.number(errors[-1], 2)
        size = low if low == high else say("{low} to {high}", low=low, high=high)
        if drawn:
            message = say("{metric}: the {n} examples of a run alone allow a standard error of {size} (binomial), part "
                          "of the spread.")  # fmt: skip
        else:
            message = say("{metric}: these {n} examples alone allow a standard error of {size} (binomial), which the "
                          "intervals leave out.")  # fmt: skip
        told.append(message.format(metric=language.metric(name), n=n, size=size))
    return told
