"""Does the weight explain the word? The answer of runs that explained their words (`decoding.explained`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from probeta.report.answer import Answer
from probeta.report.explained_runs import HALF, Arrays, Explained
from probeta.report.explained_tables import BOUNDS, draw_pruning, make_tables, rounded
from probeta.report.language import Language
from probeta.report.summary import Group, Summary
from probeta.stats.comparisons import ALPHA, holm
from probeta.stats.intervals import mean_interval


def explain_attention(summary: Summary, language: Language) -> Answer | None:
    """The page's answer where runs explained their words, else `None`."""
    found = [_read(group) for group in summary.groups]
    variants = [one for one in found if one is not None and one.contrast("weight") is not None]
    if not variants:
        return None
    say = language.say
    sentences = [*_verdicts(variants, language), *_controls(variants, language), *_heads(variants, language)]
    sentences.append(
        say(
            "Explained is a share of what can be explained: by how much the word's probability falls more than in a "
            "random order when the source words that an explanation names first are deleted, over the same of leaving "
            "out each word and looking (0: chance, 1: all), both as means over runs and sentences; the first table "
            "has the mean of the runs' own shares. Intervals are over new seeds and new sentences."
        )
    )  # fmt: skip
    return Answer(sentences, tables=make_tables(variants, language), charts=draw_pruning(variants, language))


def _read(group: Group) -> Explained | None:
    runs = [arrays for run in group.runs if run.completed and (arrays := run.artifacts.read("explanations"))]
    return Explained(group.variant, runs) if runs else None


def _verdicts(variants: Sequence[Explained], language: Language) -> list[str]:
    """Which explain, which only translate, of which it is open; Holm's correction over all of them."""
    say = language.say
    p = [one.p() for one in variants]
    corrected = iter(holm([x for x in p if x is not None]))
    sides: dict[str, list[str]] = {"explains": [], "translates": [], "open": []}
    spread = []
    for one, own in zip(variants, p, strict=True):
        share = one.share("weight")
        assert share is not None
        decided = own is not None and next(corrected) < ALPHA
        side = "open" if not decided else "explains" if share.value > HALF else "translates"
        numbers = say("no interval")
        if share.interval is not None:
            numbers = say("95 % interval {interval}", interval=language.interval(rounded(share.interval)))
        name = language.say(one.name)
        sides[side].append(f"{name} ({language.number(share.value, 2)}; {numbers})")
        if side == "open" and (apart := _tell_spread(one, language)):
            spread.append(apart)
    told = {
        "explains": say("The weight explains the word, more than half of what can be explained, in {names}."),
        "translates": say("Attention only translates, and its weight explains less than half, in {names}."),
        "open": say("These results do not tell whether the weight explains more or less than half in {names}."),
    }
    sentences = [told[side].format(names=language.list(names)) for side, names in sides.items() if names] + spread
    tested = sum(x is not None for x in p)
    if tested:
        sentences.append(say("Tested against one half with Holm's correction over {n} kinds.", n=tested))
    return sentences


def _tell_spread(one: Explained, language: Language) -> str | None:
    """How far the runs of a kind that stays open are apart, and whether those explain that align."""
    found = one.contrast("weight")
    aer = [float(run.get("aer/nothing", math.nan)) for run in one.runs]
    if found is None or len(aer) < 3 or not np.isfinite(aer).all():
        return None
    shares = found[0].mean(1) / found[1].mean(1)
    r = correlate_ranks(shares, -np.array(aer))
    if not math.isfinite(r):
        return None
    return language.say(
        "{name}: its {n} runs explain from {low} to {high}; rank correlation of that with how well they align, {r}.",
        name=language.say(one.name), n=len(aer), r=language.number(r, 2),
        low=language.number(float(shares.min()), 2), high=language.number(float(shares.max()), 2),
    )  # fmt: skip


def _controls(variants: Sequence[Explained], language: Language) -> list[str]:
    """What the interventions must do if they do what they say."""
    say, rows = language.say, []
    for names, message in (
        (("exact/nothing", "exact/all cut"),
         say("With every link cut, exact translations fall from {a} to {b} (mean over kinds).")),
        (("link/top/all", "link/others/all"),
         say("A word's strongest link, cut alone, changes what is said by {a} bits; any other by {b}.")),
    ):  # fmt: skip
        means = [np.mean([s.mean() for one in variants if (s := one.stack(name)) is not None]) for name in names]
        rows.append(message.format(a=language.number(float(means[0]), 2), b=language.number(float(means[1]), 2)))
    return rows


def _heads(variants: Sequence[Explained], language: Language) -> list[str]:
    """Whether heads on the source that align are those that matter, of nets with several."""
    say, sentences = language.say, []
    for one in variants:
        values = [r for run in one.runs if math.isfinite(r := correlate_alignment(run))]
        if not values:
            continue
        mean, interval = float(np.mean(values)), mean_interval(values, bounds=BOUNDS["tau"])
        heads = sum(str(name).startswith("cross") for name in one.runs[0]["heads/name"])
        sentences.append(
            say(
                "{name}: whether those of its {heads} heads on the source that align better are those whose removal "
                "costs more exact translations: rank correlation {mean} ({numbers}; {n} runs).",
                name=say(one.name), heads=heads, mean=language.number(mean, 2), n=len(values),
                numbers=language.interval_named(interval) if interval else say("no interval"),
            )
        )  # fmt: skip
    return sentences


def correlate_alignment(run: Mapping[str, Any]) -> float:
    """Of 1 - AER and exact match lost over the heads on the source."""
    cross = np.isfinite(run["heads/aer"])
    return correlate_ranks(run["heads/lost"][cross].mean(1), -run["heads/aer"][cross])


def correlate_ranks(a: Arrays, b: Arrays) -> float:
    """Spearman's correlation; NaN for fewer than 3 or where either is all the same."""
    from scipy.stats import rankdata

    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
