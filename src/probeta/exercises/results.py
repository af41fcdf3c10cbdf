"""What an exercise's answer reads: its runs' numbers and curves by variant, and the language it speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

from probeta.report.charts import band
from probeta.report.language import Language
from probeta.report.runs import Run, read_curves
from probeta.report.summary import Summary


@dataclass(frozen=True)
class Results:
    """The completed runs of a study. Variants are named as the study names them, in `language`."""

    summary: Summary
    language: Language

    @cached_property
    def runs(self) -> list[Run]:
        return [run for run in self.summary.sweep.runs if run.completed]

    @cached_property
    def by_variant(self) -> dict[str, list[Run]]:
        """Completed runs by the variant's name in the study, in the study's order."""
        found: dict[str, list[Run]] = {}
        for run in self.runs:
            found.setdefault(run.variant, []).append(run)
        return found

    def say(self, message: str, **parts: object) -> str:
        return self.language.say(message, **parts)

    def number(self, value: float | None, digits: int = 3) -> str:
        return self.language.number(value, digits)

    def of(self, variant: str, metric: str) -> dict[Any, float]:
        """Replicate → value, over the completed runs of one variant that have the metric."""
        runs = self.by_variant.get(variant, [])
        return {run.replicate: float(v) for run in runs if (v := run.metrics.get(metric)) is not None}

    def groups(self, metric: str) -> dict[str, dict[Any, float]]:
        """Variant (in the reader's language) → replicate → value."""
        return {self.say(variant): self.of(variant, metric) for variant in self.by_variant}

    def levels(self, key: str) -> list[Any]:
        """The values of a setting among the runs, numbers by size."""
        found = {run.settings[key] for run in self.runs if key in run.settings}
        return sorted(found, key=lambda v: (isinstance(v, str), v))

    def at(self, metric: str, **settings: Any) -> dict[Any, float]:
        """Replicate → mean of the metric over the runs with these settings (`.` in a key is written `__`)."""
        wanted = {key.replace("__", "."): value for key, value in settings.items()}
        values: dict[Any, list[float]] = {}
        for run in self.runs:
            if all(run.settings.get(key) == value for key, value in wanted.items()):
                if (v := run.metrics.get(metric)) is not None:
                    values.setdefault(run.replicate, []).append(float(v))
        return {replicate: fmean(found) for replicate, found in values.items()}

    def bands(self, metric: str) -> dict[str, dict[str, Any] | None]:
        """Variant (in the reader's language) → its curve over epochs, for a chart of lines."""
        return {self.say(variant): band(self.curves(runs, metric)) for variant, runs in self.by_variant.items()}

    @staticmethod
    def curves(runs: Sequence[Run], metric: str) -> list[dict[int, float]]:
        found = [read_curves(run.path, {metric}).get(metric) for run in runs]
        return [curve for curve in found if curve]
