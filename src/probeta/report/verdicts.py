"""A comparison in words: a difference is called one only where the test does, and failed runs are told first."""

from __future__ import annotations

from probeta.metrics.direction import direction, is_maximised
from probeta.report.language import Language
from probeta.stats.comparisons import ALPHA, Comparison, Failing, Withheld


def verdict(c: Comparison, metric: str, language: Language) -> str:
    """One sentence on a comparison of `metric`, with its numbers."""
    say = language.say
    a, b = (_side(name, failed, c, language) for name, failed in zip((c.a, c.b), c.failed, strict=True))
    if c.p_holm is None:
        told = language.count("not tested, they share {n} seed", "not tested, they share {n} seeds", c.seeds)
        return say("{a} and {b}: {what}", a=a, b=b, what=no_difference(c, language) if c.withheld else told)
    interval = f", {language.interval_named(c.interval)}" if c.interval else ""
    numbers = say(
        "{metric} {change} over {n} shared seeds{interval}; p = {p}, Holm {holm}",
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


def no_difference(c: Comparison, language: Language) -> str:
    """What is said where none is called one, so that the interval beside it is not read as its opposite."""
    if c.withheld is Withheld.STOPPED:
        return language.say("not tested, since seeds were added until the study had decided")
    if c.withheld is Withheld.FAILED:
        return language.say("withheld, since runs failed")
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


def _side(name: str, failed: int, c: Comparison, language: Language) -> str:
    """A variant, and how many of its runs are not in the numbers where any of the two lacks some."""
    if not sum(c.failed):
        return language.say(name)
    return language.say("{name} ({n} failed)", name=language.say(name), n=failed)
