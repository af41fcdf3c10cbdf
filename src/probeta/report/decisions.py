"""A study that stopped when it knew: each comparison's decision in words, as a table, and drawn against seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from probeta.metrics.direction import is_maximised
from probeta.report.answer import Cell, Chart, Table
from probeta.report.charts import lines
from probeta.report.language import Language
from probeta.report.verdicts import rank_first
from probeta.runs.table import SweepRuns
from probeta.stats.families import compare
from probeta.stats.sequential import (
    EQUIVALENT,
    LARGER,
    Decision,
    Outcomes,
    confidence_sequence,
    paired_differences,
    schedule_looks,
    settle,
)

DRAWN = 12
"""Comparisons that are drawn."""

FIXED = 5
"""The fixed number of seeds that a decision is set beside: what most studies have."""


class Decided:
    """The comparisons of the study in `sweep` by `metric`, decided as the study decided them while it ran."""

    def __init__(self, sweep: SweepRuns, metric: str) -> None:
        self.metric = metric
        self.margin: float | None = sweep.definition.get("equivalence_margin")
        self.reference: str | None = sweep.definition.get("reference")
        self.outcomes = outcomes(sweep, metric)
        most = int(sweep.definition.get("max_seeds") or 0)
        self.decisions: Sequence[Decision] = settle(self.outcomes, self.reference, schedule_looks(most), self.margin)
        self.fixed = {
            (c.a, c.b): c for c in compare({v: known(s, FIXED) for v, s in self.outcomes.items()}, self.reference)
        }

    def sentences(self, language: Language) -> list[str]:
        return [self.sentence(decision, language) for decision in self.decisions]

    def sentence(self, d: Decision, language: Language) -> str:
        say = language.say
        if d.withheld:
            failed = sum(value is None for name in (d.a, d.b) for value in self.outcomes[name].values())
            return say("{a} and {b}: withheld, {k} of their runs failed", a=say(d.a), b=say(d.b), k=failed)
        told = {"a": say(d.a), "b": say(d.b), "n": d.seeds, "numbers": self.numbers(d, language)}
        if d.is_open:
            expected = say("more seeds are not expected to decide it")
            if d.forecast is not None:
                expected = say("if it goes on so, about {n} seeds decide it", n=language.number(d.forecast, 2))
            return say("{a} and {b}: open after {n} seeds ({numbers}); {expected}", **told, expected=expected)
        if d.verdict == EQUIVALENT:
            sentence = say(
                "{a} and {b}: no difference beyond {margin}, decided after {n} seeds ({numbers})",
                **told, margin=language.number(self.margin),
            )  # fmt: skip
        elif (d.verdict == LARGER) == is_maximised(self.metric):
            sentence = say("{a} is better than {b}, decided after {n} seeds ({numbers})", **told)
        else:
            sentence = say("{a} is worse than {b}, decided after {n} seeds ({numbers})", **told)
        return f"{sentence}; {self.beside(d, language)}"

    def numbers(self, d: Decision, language: Language) -> str:
        if d.low == d.high:
            return language.say(
                "{metric} {change} at every seed; p = {p}, Holm {holm}",
                metric=language.metric(self.metric), change=language.signed(d.difference),
                p=language.number(d.p, 2), holm=language.number(d.p_holm, 2),
            )  # fmt: skip
        interval = language.interval((d.low, d.high)) if math.isfinite(d.low) and math.isfinite(d.high) else "–"
        return language.say(
            "{metric} {change}, 95 % confidence sequence {interval}; p = {p}, Holm {holm}",
            metric=language.metric(self.metric), change=language.signed(d.difference), interval=interval,
            p=language.number(d.p, 2), holm=language.number(d.p_holm, 2),
        )  # fmt: skip

    def beside(self, d: Decision, language: Language) -> str:
        """What a t-test after `FIXED` seeds says of the same comparison."""
        say, fixed = language.say, self.fixed.get((d.a, d.b))
        if fixed is None or fixed.p_holm is None:
            return say("{n} fixed seeds say nothing", n=FIXED)
        verdict = rank_first(fixed, self.metric, language) if fixed.differs else say("no difference shown")
        return say(
            "{n} fixed seeds: {verdict} (Holm {holm})", n=FIXED, verdict=verdict, holm=language.number(fixed.p_holm, 2)
        )

    def table(self, language: Language) -> Table:
        say = language.say
        rows = []
        for d in self.decisions:
            pair = Cell(f"{say(d.a)} – {say(d.b)}")
            seeds = Cell(str(d.seeds), d.seeds)
            forecast = Cell("" if d.forecast is None else language.number(d.forecast, 2), d.forecast or "")
            rows.append([pair, Cell(self.sentence(d, language), prose=True), seeds, forecast])
        hint = say(
            "Looked at after every round of seeds, by tests that hold whenever one stops; Holm's correction over "
            "{n} comparisons, at 5 %. Assumed: under no difference, paired differences are symmetric.",
            n=len(self.decisions),
        )  # fmt: skip
        head = [say("pair"), say("decision"), say("seeds"), say("forecast")]
        return Table(say("Decisions"), head, rows, hint)

    def charts(self, language: Language) -> list[Chart]:
        return [self.chart(d, language) for d in self.decisions[:DRAWN] if d.seeds and not d.withheld]

    def chart(self, d: Decision, language: Language) -> Chart:
        """The mean difference and its confidence sequence against the number of seeds, with no difference at 0."""
        differences = paired_differences(self.outcomes[d.a], self.outcomes[d.b])[0][: d.seeds]
        low, high = confidence_sequence(differences)
        drawn: dict[str, list[float]] = {"x": [], "mean": [], "low": [], "high": []}
        total = 0.0
        for n, difference in enumerate(differences, 1):
            total += difference
            if math.isfinite(low[n - 1]) and math.isfinite(high[n - 1]):
                for key, value in (("x", n), ("mean", total / n), ("low", low[n - 1]), ("high", high[n - 1])):
                    drawn[key].append(float(value))
        name = language.say("difference in {metric}", metric=language.metric(self.metric))
        line: dict[str, dict[str, Any] | None] = {name: drawn if len(drawn["x"]) > 1 else None}
        if len(drawn["x"]) > 1:
            line[language.say("no difference")] = {"x": [drawn["x"][0], drawn["x"][-1]], "mean": [0.0, 0.0]}
        title = f"{language.say(d.a)} – {language.say(d.b)}"
        return lines(title, language.say("seeds"), name, line, hint=self.sentence(d, language))


def outcomes(sweep: SweepRuns, metric: str) -> Outcomes:
    """Variant → seed → the metric, `None` where the run failed, in the order in which the study added them."""
    order = {name: i for i, name in enumerate(sweep.definition.get("jobs") or {})}
    found: Outcomes = {variant: {} for variant in sweep.variants}
    for run in sorted(sweep.runs, key=lambda run: order.get(run.name, len(order))):
        if run.replicate and run.status in ("completed", "failed"):
            found[run.variant][run.replicate[0]] = run.value(metric) if run.completed else None
    return found


def known(seeds: Mapping[int, float | None], most: int) -> dict[int, float]:
    """The first `most` seeds that have a value."""
    return {seed: value for seed, value in list(seeds.items())[:most] if value is not None}
