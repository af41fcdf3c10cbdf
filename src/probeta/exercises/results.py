"""What an exercise's answer reads: its runs' numbers and curves by variant, and the language it speaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from probeta.metrics.direction import is_maximised, quantity
from probeta.report.answer import Cell, Chart, Claim, mean_cell
from probeta.report.charts import band, boundary, heat, lines
from probeta.report.claims import Expectation, against, counted, judge, lead, span
from probeta.report.language import Language
from probeta.report.summary import Summary, values_of
from probeta.runs.row import RunRow
from probeta.stats.values import Values


@dataclass(frozen=True)
class Results:
    """The completed runs of a study. Variants are named as the study names them, in `language`.

    Tests are those of `summary.family`, corrected for all that have been asked for.
    """

    summary: Summary
    language: Language

    @cached_property
    def runs(self) -> list[RunRow]:
        return [run for run in self.summary.sweep.runs if run.completed]

    @cached_property
    def by_variant(self) -> dict[str, list[RunRow]]:
        """Completed runs by the variant's name in the study, in the study's order."""
        found = {name: [r for r in runs if r.completed] for name, runs in self.summary.sweep.by_variant.items()}
        return {name: runs for name, runs in found.items() if runs}

    def say(self, message: str, **parts: object) -> str:
        return self.language.say(message, **parts)

    def metric(self, name: str) -> str:
        """What the page calls a metric."""
        return self.language.metric(name)

    def curve(self, name: str) -> str:
        """What the page calls a metric over epochs."""
        return self.language.curve(name)

    def number(self, value: float | None, digits: int = 3) -> str:
        return self.language.number(value, digits)

    def of(self, variant: str, metric: str) -> Values:
        """Replicate → value, over the completed runs of one variant that have the metric."""
        return values_of(self.summary.sweep.by_variant.get(variant, []), metric, variant)

    def groups(self, metric: str) -> dict[str, Values]:
        """Variant (in the reader's language) → replicate → value."""
        return {self.named(variant): self.of(variant, metric) for variant in self.by_variant}

    def named(self, variant: str) -> str:
        """A variant in a sentence; a name of several parts is held together by quotes."""
        name = self.say(variant)
        return f"“{name}”" if "=" in name or ", " in name else name

    def levels(self, key: str, runs: Sequence[RunRow] | None = None) -> list[Any]:
        """The values of a setting among the (completed) runs, numbers by size."""
        found = {run.settings[key] for run in (self.runs if runs is None else runs) if key in run.settings}
        return sorted(found, key=lambda v: (isinstance(v, str), v))

    def at(self, metric: str, **settings: Any) -> Values:
        """Replicate → mean of the metric over the variants with these settings, where it has all of them: without its
        failed deep nets, a width would seem better. Where some of them failed, no verdict is given on a mean.
        """
        matching = [run for run in self.summary.sweep.runs if run.settings.items() >= settings.items()]
        cells = {run.variant for run in matching}
        values: dict[Any, dict[str, float]] = {}
        for run in matching:
            if run.completed and (v := run.value(metric)) is not None:
                values.setdefault(run.replicate, {})[run.variant] = v
        whole = {replicate: sum(v.values()) / len(v) for replicate, v in values.items() if v.keys() == cells}
        failed = {run.replicate for run in matching if run.status == "failed"}
        return Values(whole, failed, replace(quantity(metric), up=None), tuple(sorted(settings.items())))

    def lead(self, metric: str) -> str:
        """Which variant is ahead in `metric`, and whether by more than noise."""
        groups = self.groups(metric)
        return lead(self.metric(metric), groups, self.language, up=is_maximised(metric), family=self.summary.family)

    def span(self, metric: str) -> str:
        """From where to where the variants' means of `metric` go: for what is neither good nor bad."""
        return span(self.metric(metric), self.groups(metric), self.language)

    def against(self, metric: str, reference: str) -> list[str]:
        """Each variant against the variant `reference` in `metric`."""
        named, groups = self.named(reference), self.groups(metric)
        return against(self.metric(metric), groups, named, self.language, self.summary.family)

    def judge(self, *expectations: Expectation) -> list[Claim]:
        return judge(expectations, self.language, self.summary.family)

    def counted(self, statement: str, hits: int, total: int, because: str = "") -> Claim:
        """A claim about every case."""
        return counted(statement, hits, total, self.language, because)

    def mean_cell(self, values: Mapping[Any, float] | Sequence[float], digits: int = 3, most: float = math.inf) -> Cell:
        """The mean of a quantity from 0 to `most`, or of a `Sample` of it."""
        values = list(values.values()) if isinstance(values, Mapping) else values
        return mean_cell(values, self.language, digits, most)

    def grid(self, title: str, metric: str, rows: str, columns: str, digits: int = 3, **held: Any) -> Chart:
        """A heat map of the metric's mean over the settings `rows` × `columns`, of the variants with those `held`."""
        across, down = self.levels(columns), self.levels(rows)
        cells = [[list(self.at(metric, **held, **{rows: r, columns: c}).values()) for c in across] for r in down]
        means = [[fmean(values) if values else None for values in row] for row in cells]
        x, y = self.metric(columns), self.metric(rows)
        return heat(
            title, x, y, self.told(across), self.told(down), means, self.texts(means, digits), self.metric(metric)
        )

    def texts(self, table: Sequence[Sequence[float | None]], digits: int = 3) -> list[list[str]]:
        """What stands in the cells of a heat map."""
        return [["–" if v is None else self.number(v, digits) for v in row] for row in table]

    def told(self, levels: Sequence[Any]) -> list[str]:
        """A setting's values as the reader's language writes them."""
        return [self.say(v) if isinstance(v, str) else self.number(v) for v in levels]

    def bands(self, metric: str) -> dict[str, dict[str, Any] | None]:
        """Variant (in the reader's language) → its curve over epochs, for a chart of lines."""
        return {self.say(variant): band(self.curves(runs, metric)) for variant, runs in self.by_variant.items()}

    def epochs(self, metric: str, log_y: bool = False) -> Chart:
        """The metric over epochs, a line for each variant."""
        return lines(self.curve(metric), self.say("epoch"), self.curve(metric), self.bands(metric), log_y=log_y)

    @staticmethod
    def curves(runs: Sequence[RunRow], metric: str) -> list[dict[int, float]]:
        found = [run.curves({metric}).get(metric) for run in runs]
        return [curve for curve in found if curve]

    def boundaries(self) -> list[Chart]:
        """The decision boundary of the first completed run of each variant."""
        charts = []
        for variant, runs in self.by_variant.items():
            if (arrays := runs[0].artifacts.boundary()) is not None:
                title = self.say("Decision boundary: {name}", name=self.say(variant))
                classes = [self.say("class {n}", n=c) for c in range(2)]
                unit = self.say("probability of class 1")
                charts.append(boundary(title, arrays, unit, classes))
        return charts
