"""What the planes of the loss around a sweep's runs say (`callbacks.path` with `points`), and their contours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from probeta.report.answer import Answer, Chart, Claim, Verdict
from probeta.report.charts import lines, means, short
from probeta.report.claims import Expectation, judge, span
from probeta.report.language import Language
from probeta.report.summary import Group, Summary, values_of

NEGATIVE, DOWNHILL = "landscape/negative_share", "landscape/downhill_share"
RESIDUAL, DEPTH = "model.residual", "model.depth"

MOST = 12
"""Planes in a chart."""


def explain_landscape(summary: Summary, language: Language) -> Answer | None:
    """The page's answer where runs measured planes, else `None`."""
    groups = [g for g in summary.groups if any(run.completed and NEGATIVE in run.metrics for run in g.runs)]
    if not groups:
        return None
    say = language.say
    names = {NEGATIVE: say("share of the plane that bends downwards"), DOWNHILL: say("share of the ways out downhill")}
    pairs = pair_residual(groups)
    claims = {metric: claim(metric, pairs, summary, language) for metric in names}
    sentences = []
    for metric, name in names.items():
        values = {say(g.variant): values_of(g.runs, metric, g.variant) for g in groups}
        sentences += [tell_pairs(metric, pairs, claims[metric], language)] if pairs else []
        sentences.append(span(name, values, language))
    sentences.append(
        say(
            "Each plane is around the kept weights, of two random directions whose filters are as long as the net's "
            "(Li et al. 2018). It bends downwards where its 2 × 2 Hessian has a negative eigenvalue; the ways out are "
            "the eight straight ones from the middle to the edge, of whose ups and downs the share that is down is "
            "counted: 0 in a basin, ½ on a way that ends as high as it began."
        )
    )  # fmt: skip
    charts = [chart for metric, name in names.items() if (chart := by_depth(metric, name, groups, language))]
    return Answer(sentences, [c for own in claims.values() for c in own], charts=[*charts, *planes(groups, language)])


def pair_residual(groups: Sequence[Group]) -> list[tuple[Group, Group]]:
    """The variants that differ in `model.residual` alone: without it, and with it."""
    found: dict[str, dict[bool, Group]] = {}
    for group in groups:
        settings = dict(group.runs[0].settings)
        residual = bool(settings.pop(RESIDUAL, False))
        found.setdefault(repr(sorted(settings.items())), {})[residual] = group
    return [(both[False], both[True]) for both in found.values() if len(both) == 2]


def claim(metric: str, pairs: Sequence[tuple[Group, Group]], summary: Summary, language: Language) -> list[Claim]:
    """Of each pair, tested seed by seed: that the plane is rougher without residual connections."""
    told = {
        NEGATIVE: language.say("{plain}: more of the plane bends downwards than with residual connections"),
        DOWNHILL: language.say("{plain}: more of the ways out is downhill than with residual connections"),
    }
    expectations = [
        Expectation(
            told[metric].format(plain=language.say(plain.variant)),
            values_of(plain.runs, metric, plain.variant),
            values_of(residual.runs, metric, residual.variant),
        )
        for plain, residual in pairs
    ]
    return judge(expectations, language, summary.family)


def tell_pairs(
    metric: str, pairs: Sequence[tuple[Group, Group]], claims: Sequence[Claim], language: Language
) -> str:  # fmt: skip
    """Where the pairs differ, and which way."""
    say = language.say
    told = {
        (NEGATIVE, Verdict.HOLDS): say("Without residual connections more of the plane bends downwards: {names}."),
        (NEGATIVE, Verdict.FAILS): say("With residual connections more of the plane bends downwards: {names}."),
        (NEGATIVE, Verdict.OPEN): say("How much of the plane bends downwards differs by no more than noise: {names}."),
        (DOWNHILL, Verdict.HOLDS): say("Without residual connections more of the ways out is downhill: {names}."),
        (DOWNHILL, Verdict.FAILS): say("With residual connections more of the ways out is downhill: {names}."),
        (DOWNHILL, Verdict.OPEN): say("How much of the ways out is downhill differs by no more than noise: {names}."),
    }
    sentences = []
    for verdict in Verdict:
        names = [say(plain.variant) for (plain, _), c in zip(pairs, claims, strict=True) if c.verdict is verdict]
        if names:
            sentences.append(told[metric, verdict].format(names=language.list(names)))
    return " ".join(sentences)


def by_depth(metric: str, name: str, groups: Sequence[Group], language: Language) -> Chart | None:
    """Means with their intervals against the depth, with and without residual connections; `None` of one depth."""
    series: dict[bool, list[tuple[float, Group]]] = {}
    for group in groups:
        settings = group.runs[0].settings
        if isinstance(depth := settings.get(DEPTH), int) and group.measured[metric].mean is not None:
            series.setdefault(bool(settings.get(RESIDUAL, False)), []).append((depth, group))
    if not series or min(len({depth for depth, _ in own}) for own in series.values()) < 2:
        return None
    names = language.say("without residual connections"), language.say("with residual connections")
    drawn = {}
    for residual, own in sorted(series.items()):
        places = sorted(own, key=lambda one: one[0])
        drawn[names[residual]] = means([depth for depth, _ in places], [g.measured[metric] for _, g in places])
    hint = language.say("Mean and 95 % interval over seeds.")
    return lines(name, language.say("hidden layers"), name, drawn, markers=True, hint=hint)


def planes(groups: Sequence[Group], language: Language) -> list[Chart]:
    """The planes of the first completed run of each variant, on one scale: the random one, and that of its path."""
    say, random, paths = language.say, [], []
    for group in groups[:MOST]:
        run = next(run for run in group.runs if run.completed and NEGATIVE in run.metrics)
        if (arrays := run.artifacts.read("landscape")) is None:
            continue
        name = say(group.variant)
        random.append(plane(name, arrays))
        if "path_loss" in arrays:
            own = {key.removeprefix("path_"): value for key, value in arrays.items() if key.startswith("path_")}
            share = language.decimals(100 * float(own["shares"].sum()), 0)
            paths.append(plane(say("{name}: {share} %", name=name, share=share), own))
    hint = say(
        "One run each, all on one scale. From edge to edge each direction goes from −{extent} to {extent} lengths of "
        "the weights' filters; the star is where the kept weights stand.",
        extent=language.number(float(random[0]["a"][-1]), 2),
    )  # fmt: skip
    along = say(
        "The plane of the two directions in which the weights went most, with the share of the path's variance that it "
        "has; the square is where training began."
    )
    titles = (say("Loss in a random plane"), random, hint), (say("Loss in the plane of the path"), paths, along)
    return [
        Chart(title, {"kind": "planes", "planes": own, "unit": say("loss")}, told) for title, own, told in titles if own
    ]


def plane(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The common logarithm of the loss on a grid, in rows of `b`; the path where there is one."""
    z = [[round(math.log10(max(float(value), 1e-12)), 3) for value in row] for row in arrays["loss"]]
    drawn = {"name": name, "a": [short(x) for x in arrays["a"]], "b": [short(x) for x in arrays["b"]], "z": z}
    if "at" in arrays:
        drawn["path"] = [[short(x) for x in column] for column in arrays["at"].T]
    return drawn
