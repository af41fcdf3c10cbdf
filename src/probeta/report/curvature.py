"""What the curvature of a sweep's runs says (`callbacks.curvature`): the edge of stability, the critical batch size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, median

from probeta.report.answer import Answer, Chart, Table, mean_cell, text_cell
from probeta.report.charts import band, lines
from probeta.report.language import Language
from probeta.report.summary import Summary, measured

Curve = Mapping[int, float]

LATE = 0.75
"""Share of the epochs after which sharpness counts as settled."""

NEAR = 1.1
"""Up to here sharpness hovers just above the line, as Cohen et al. (2021) say of gradient descent at its edge."""

LARGEST, PRECONDITIONED, RELATIVE, EDGE, NOISE = (
    f"curvature/{name}" for name in ("largest", "preconditioned", "relative", "edge", "critical_batch")
)


@dataclass(frozen=True)
class MeasuredVariant:
    """The curves of one variant's completed runs."""

    name: str
    runs: Sequence[Mapping[str, Curve]]

    def curves(self, metric: str) -> list[Curve]:
        return [run[metric] for run in self.runs if metric in run]

    @cached_property
    def late(self) -> list[float]:
        """Of each run the sharpness over what its optimizer is stable up to, mean over the last epochs."""
        return [
            fmean(value for epoch, value in curve.items() if epoch >= LATE * max(curve))
            for curve in self.curves(RELATIVE)
        ]

    @cached_property
    def first(self) -> list[int]:
        """Of each run that rises to the line from below it the first epoch (from 1) at which it was measured there."""
        found = []
        for curve in self.curves(RELATIVE):
            below = next((epoch for epoch, value in curve.items() if value < 1), None)
            rose = [epoch + 1 for epoch, v in curve.items() if below is not None and epoch > below and v >= 1]
            found += rose[:1]
        return found

    @cached_property
    def start(self) -> float:
        """What `late` is of the last epochs, at the first measurement: median over the runs."""
        return median(curve[min(curve)] for curve in self.curves(RELATIVE))

    @cached_property
    def edge(self) -> float:
        """The sharpness that the optimizer of the first run that measured it was stable up to at the end."""
        curve = self.curves(EDGE)[0]
        return curve[max(curve)]


def explain_curvature(summary: Summary, language: Language) -> Answer | None:
    """The page's answer where runs measured their curvature, else `None`."""
    wanted = {LARGEST, PRECONDITIONED, RELATIVE, EDGE, NOISE}
    variants = [MeasuredVariant(g.variant, [r.curves(wanted) for r in g.runs if r.completed]) for g in summary.groups]
    sharp = [v for v in variants if v.curves(EDGE)]
    noisy = [v for v in variants if v.curves(NOISE)]
    if not sharp and not noisy:
        return None
    sentences, tables, charts = [], [], []
    if sharp:
        sentences += tell_edge(sharp, language)
        tables.append(edge_table(sharp, language))
        charts += edge_charts(sharp, language)
    if noisy:
        sentences += tell_noise(noisy, language)
        charts.append(noise_chart(noisy, language))
    return Answer(sentences, tables=tables, charts=charts)


def tell_edge(variants: Sequence[MeasuredVariant], language: Language) -> list[str]:
    """Which variants stand on the line, just above it, above it, below it: by where the interval over seeds lies."""
    say = language.say
    sides: dict[str, list[str]] = {"on": [], "near": [], "above": [], "below": [], "open": []}
    for variant in variants:
        found = measured(variant.late)
        assert found.mean is not None
        ends = None if found.interval is None else found.interval.ends
        if ends is None:
            side = "open"
        elif ends[0] <= 1 <= ends[1]:
            side = "on"
        else:
            side = "below" if ends[1] < 1 else "near" if ends[1] <= NEAR else "above"
        numbers = say("no interval") if found.interval is None else language.interval_named(found.interval)
        sides[side].append(f"{say(variant.name)} ({language.number(found.mean, 3)}; {numbers})")
    told = {
        "on": say("On the line, which their interval holds: {names}."),
        "near": say("Just above the line, by less than a tenth: {names}."),
        "above": say("Above the line, where no parabola would hold them: {names}."),
        "below": say("Below the line at the end of their training: {names}."),
        "open": say("Too few runs for an interval: {names}."),
    }
    sentences = [told[side].format(names=language.list(names)) for side, names in sides.items() if names]
    reached = [
        say("{name} at epoch {epoch}", name=say(v.name), epoch=language.whole(sorted(v.first)[len(v.first) // 2]))
        for v in variants
        if 2 * len(v.first) > len(v.runs)
    ]
    if reached:
        sentences.append(say("Most runs first rose to it (median): {names}.", names=language.list(reached)))
    fell = [
        say("{name} (from {start})", name=say(v.name), start=language.number(v.start, 3))
        for v in variants
        if v.start > 1
    ]
    if fell:
        sentences.append(
            say(
                "Above it from the first measurement on, so that they come down to it: {names}.",
                names=language.list(fell),
            )
        )
    sentences.append(
        say(
            "The line is the curvature up to which an optimizer is stable on a parabola: 2 / rate for gradient "
            "descent, 2 (1 + β) / rate with momentum β, and for Adam 2 (1 + β₁) / (rate (1 − β₁)) in the "
            "preconditioned Hessian. The sharpness rises until it is there, and then hovers there or just above "
            "(Cohen et al. 2021). "
            "Numbers are the greatest eigenvalue over it, mean over the last quarter of the training."
        )
    )  # fmt: skip
    return sentences


def edge_table(variants: Sequence[MeasuredVariant], language: Language) -> Table:
    say = language.say
    rows = []
    for variant in variants:
        runs = [run.get(PRECONDITIONED, run[LARGEST]) for run in variant.runs if RELATIVE in run]
        at_end = [curve[max(curve)] for curve in runs]
        edge = text_cell(language.number(variant.edge, 3))
        sharpness, relative = (mean_cell(values, language, 3) for values in (at_end, variant.late))
        rows.append([text_cell(say(variant.name)), edge, sharpness, relative])
    head = [say("variant"), say("the line"), say("sharpness at the end"), say("sharpness over the line")]
    return Table(say("Sharpness and the edge of stability"), head, rows)


def edge_charts(variants: Sequence[MeasuredVariant], language: Language) -> list[Chart]:
    """Sharpness over the line; and the sharpness itself beside the lines, where the optimizer does not precondition."""
    say, epoch = language.say, language.say("epoch")
    whole = {say(v.name): band(v.curves(RELATIVE)) for v in variants}
    ends = [1, 1 + max(max(curve) for v in variants for curve in v.curves(RELATIVE))]  # as `band` counts
    line = {"x": ends, "mean": [1, 1], "runs": 1}
    title = say("Sharpness over what the optimizer is stable up to")
    charts = [lines(title, epoch, say("sharpness over the line"), {**whole, say("the line"): line}, log_y=True)]
    plain = [v for v in variants if not v.curves(PRECONDITIONED)]
    shown = {say(v.name): band(v.curves(LARGEST)) for v in plain}
    for v in plain:
        shown[say("{name}: the line", name=say(v.name))] = band(v.curves(EDGE))
    hint = say("The band is from the lowest to the highest run.")
    return [
        *charts,
        lines(say("Sharpness"), epoch, say("greatest eigenvalue of the Hessian"), shown, log_y=True, hint=hint),
    ]


def tell_noise(variants: Sequence[MeasuredVariant], language: Language) -> list[str]:
    """Where the critical batch size went from the first to the last measurement: geometric means over the runs."""
    say, sentences = language.say, []
    for variant in variants:
        curves = variant.curves(NOISE)
        first, last = (geometric([curve[end(curve)] for curve in curves], language) for end in (min, max))
        name = say(variant.name)
        sentences.append(
            say("{name}: the critical batch goes from {first} to {last}.", name=name, first=first, last=last)
        )
    sentences.append(
        say(
            "The critical batch size is tr Σ / |G|² of the gradient (McCandlish et al. 2018): a smaller batch is noise "
            "for the most part, a larger one saves few steps. Means are geometric, over the runs and epochs whose "
            "examples tell the gradient from 0."
        )
    )
    return sentences


def geometric(values: Sequence[float], language: Language) -> str:
    """The geometric mean of `values` above 0, with its interval over seeds."""
    found = measured([math.log(value) for value in values])
    assert found.mean is not None
    ends = None if found.interval is None else found.interval.ends
    told = language.number(math.exp(found.mean))
    return told if ends is None else f"{told} ({language.interval((math.exp(ends[0]), math.exp(ends[1])))})"


def noise_chart(variants: Sequence[MeasuredVariant], language: Language) -> Chart:
    say = language.say
    series = {say(v.name): band(v.curves(NOISE)) for v in variants}
    title = say("Critical batch size")
    return lines(title, say("epoch"), say("examples"), series, log_y=True)
