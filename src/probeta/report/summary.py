"""A sweep's numbers: one row per job, one row per variant, and which differences are differences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from probeta.metrics.direction import bounds, choose_leading, is_maximised, quantity
from probeta.report.language import Language
from probeta.runs.cells import format_table
from probeta.runs.row import REPLICATES, RunRow
from probeta.runs.table import SweepRuns
from probeta.stats.comparisons import Comparison, compare_pair, pair_variants
from probeta.stats.families import Failing, Family, compare_failures
from probeta.stats.intervals import UNBOUNDED, Interval, mean_interval
from probeta.stats.values import Values
from probeta.stats.variance_components import Crossed, arrange, crossed_interval

MANY = 40
"""Variants above which only those that matter most are compared and drawn."""


SHOWN = 4
"""Metrics in tables where the sweep names none; `summary.csv` has them all."""


@dataclass(frozen=True)
class MetricSummary:
    """One metric over a variant's completed runs."""

    n: int
    mean: float | None
    std: float | None
    interval: Interval | None
    best: float | None
    worst: float | None

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval's, where there is one and it is a statement (`Interval.ends`)."""
        return None if self.interval is None else self.interval.ends


@dataclass(frozen=True)
class Group:
    """A variant: the runs that differ in nothing but their seeds."""

    variant: str
    runs: tuple[RunRow, ...]
    measured: dict[str, MetricSummary]

    def n(self, metrics: Sequence[str]) -> int:
        """How many values the mean of the first of `metrics` is over."""
        return self.measured[metrics[0]].n if metrics else sum(run.completed for run in self.runs)

    @property
    def failed(self) -> int:
        return sum(run.status == "failed" for run in self.runs)


@dataclass(frozen=True)
class Summary:
    """Everything that the summary's files and the page say."""

    sweep: SweepRuns
    metrics: tuple[str, ...]
    """Most telling first; the first one is what variants are compared by."""
    groups: tuple[Group, ...]
    compared: tuple[Comparison, ...]
    """Of the primary metric, by themselves."""
    failing: tuple[Failing, ...]
    bytes_kept: int
    family: Family = field(default_factory=Family)
    """Every test of the page: an exercise's answer adds its own."""

    @property
    def comparisons(self) -> list[Comparison]:
        """Of the primary metric, corrected for the whole page."""
        return self.family.correct(self.compared)

    @property
    def failures_compared(self) -> list[Failing]:
        """Pairs of which one failed where the other did not, corrected for the whole page."""
        return self.family.correct(self.failing)

    @property
    def primary(self) -> str | None:
        return self.metrics[0] if self.metrics else None

    def notes(self, language: Language) -> list[str]:
        """What the study says of itself, and which of its metrics no run recorded."""
        said = [language.tell(note) for note in self.sweep.definition.get("notes") or ()]
        for damage in self.sweep.damage:
            text = language.say("{file} is damaged and left out: {why}.", file=str(damage.path), why=damage.why)
            if damage.path == self.sweep.directory / "sweep.json":
                text += " " + language.say("Nothing is compared; the sweep's own command writes it anew.")
            said.append(text)
        if mixed := self.sweep.mixed_inputs():
            said.append(language.say("Runs with the same settings had different data or sources: {runs}.", runs=mixed))
        for keys in self.sweep.confounded():
            said.append(language.say("{axes} change together: what one does cannot be told from what the others do.",
                                     axes=", ".join(keys)))  # fmt: skip
        missing = [name for name in self.sweep.definition.get("metrics") or () if name not in self.metrics]
        if self.metrics and missing:
            told = {"missing": ", ".join(missing), "metrics": ", ".join(self.metrics)}
            said.append(language.say("No run recorded {missing}. There are: {metrics}.", **told))
        return said

    @property
    def failures(self) -> list[RunRow]:
        return [run for run in self.sweep.runs if run.status == "failed"]


def summarise(sweep: SweepRuns) -> Summary:
    """Group, measure and compare the runs of `sweep`."""
    known = sweep.metric_names()
    asked = [name for name in sweep.definition.get("metrics") or () if name in known]
    metrics = asked + [name for name in choose_leading(known) if name not in asked]
    metrics += [name for name in known if name not in metrics]
    groups = tuple(
        Group(variant, tuple(runs), {name: measure(runs, name) for name in metrics})
        for variant, runs in sweep.by_variant.items()
    )
    compared, failing = _comparisons(sweep, groups, metrics)
    family = Family(stopped=bool(sweep.definition.get("until")))
    summary = Summary(sweep, tuple(metrics), groups, compared, failing, _size(sweep), family)
    summary.family.correct(compared)
    summary.family.correct(failing)
    return summary


def measure(runs: Sequence[RunRow], metric: str) -> MetricSummary:
    """Sample mean and standard deviation (n - 1), 95 % interval, best and worst by `metric`'s direction.

    Runs that share seeds are not independent: their interval is that of a crossed design, or none where it is not
    complete.
    """
    values = [v for r in runs if r.completed and (v := r.value(metric)) is not None]
    found = measured(values, is_maximised(metric), bounds(metric))
    if overlap := overlap_of(runs):
        cells = average_folds(runs, metric)
        whole = bool(cells) and not cells.failed
        interval = mean_interval(list(cells.values()), bounds=bounds(metric), overlap=overlap) if whole else None
        return replace(found, interval=interval)
    if (crossed := cross(runs, metric)) is None:
        return found
    interval = crossed_interval(crossed.values, bounds=bounds(metric)) if crossed.is_complete else None
    return replace(found, interval=interval)


def cross(runs: Sequence[RunRow], metric: str) -> Crossed | None:
    """The runs of a variant as a crossing of `REPLICATES`; `None` where they share no seed, or are of folds."""
    if overlap_of(runs) or len({key for run in runs for key in run.seeds}) < 2:
        return None
    values: dict[tuple[Any, ...], float] = {}
    for run in runs:
        value = run.value(metric) if run.completed else None
        values[tuple(run.seeds.get(key) for key in REPLICATES)] = math.nan if value is None else float(value)
    return arrange(values)


def measured(values: Sequence[float], up: bool = True, limits: tuple[float, float] = UNBOUNDED) -> MetricSummary:
    """The statistics of `values`, of which the greatest is the best where `up`; the quantity cannot leave `limits`."""
    if not values:
        return MetricSummary(0, None, None, None, None, None)
    mean = float(statistics.mean(values))  # exact: of counts the same wherever it is told
    values = [float(v) for v in values]
    best, worst = (max(values), min(values)) if up else (min(values), max(values))
    spread = statistics.stdev(values) if len(values) > 1 else None
    interval = mean_interval(values, bounds=limits, bootstrap=True)
    if abs(mean) < 1e-15 * max(map(abs, values)):
        mean = 0.0  # what is left of values that cancel
    return MetricSummary(len(values), mean, spread, interval, best, worst)


def _comparisons(
    sweep: SweepRuns, groups: Sequence[Group], metrics: Sequence[str]
) -> tuple[tuple[Comparison, ...], tuple[Failing, ...]]:
    if not metrics or len(groups) < 2 or not sweep.definition.get("compare", True):
        return (), ()
    if sweep.definition.get("until"):
        # Its comparisons are those that it stopped by (`report.decisions`): a t-test after looking would be another.
        return (), ()
    reference = sweep.definition.get("reference")
    if reference is None and len(groups) > MANY:
        # All pairs of very many variants would be neither readable nor, after correction, of any power.
        return (), ()
    values = {group.variant: values_of(group.runs, metrics[0], group.variant) for group in groups}
    pairs = [(a, b, values[a], values[b]) for a, b in pair_variants(values, reference)]
    compared = (compare_pair(*pair) for pair in pairs)
    failing = (compare_failures(*pair) for pair in pairs)
    return tuple(c for c in compared if c is not None), tuple(f for f in failing if f is not None)


def values_of(runs: Sequence[RunRow], metric: str, variant: str) -> Values:
    """A variant's values of `metric` by replicate. Failed are runs that failed, and those that recorded no number."""
    if overlap_of(runs):
        return average_folds(runs, metric, variant)
    found = {run.replicate: v for run in runs if run.completed and (v := run.value(metric)) is not None}
    failed = [run.replicate for run in runs if run.status == "failed" or run.diverged_in(metric)]
    return Values(found, failed, quantity(metric), variant)


def _size(sweep: SweepRuns) -> int:
    import os

    def total(path: str) -> int:
        size = 0
        with os.scandir(path) as entries:
            for entry in entries:
                folder = entry.is_dir(follow_symlinks=False)
                size += total(entry.path) if folder else entry.stat(follow_symlinks=False).st_size
        return size

    return sum(total(str(run.path)) for run in sweep.runs if run.path.is_dir())


def overlap_of(runs: Sequence[RunRow]) -> float:
    """Test examples per training example where `runs` are of folds, the mean over them; else 0."""
    shares = [
        examples["test"] / examples["train"]
        for run in runs
        if "data.fold" in run.seeds and (examples := run.result.get("examples") or {}).get("train")
    ]
    return statistics.fmean(shares) if shares else 0.0


def average_folds(runs: Sequence[RunRow], metric: str, variant: str = "") -> Values:
    """The values of folds, (`data.seed`, `data.fold`) → mean over what else repeats them: runs of one fold share its
    test set, and are no further fold. A fold of which a run failed has no value.
    """
    cells: dict[tuple[Any, Any], list[float | None]] = {}
    for run in runs:
        if run.status == "failed" or run.completed:
            value = run.value(metric) if run.completed else None
            cells.setdefault((run.seeds.get("data.seed"), run.seeds.get("data.fold")), []).append(value)
    known = {key: [v for v in values if v is not None] for key, values in cells.items()}
    failed = [key for key, values in cells.items() if len(known[key]) < len(values)]
    found = {key: sum(values) / len(values) for key, values in known.items() if key not in failed}
    return Values(found, failed, quantity(metric), variant, overlap_of(runs))


def runs_csv(summary: Summary) -> str:
    """`summary.csv`: one row per job. All columns but the last three are the same however often a sweep
    was interrupted."""
    names = [key for key in REPLICATES if any(key in run.seeds for run in summary.sweep.runs)]
    metrics = sorted(summary.metrics)
    timed = ("duration_s", "fit_s", "device")
    header = ["variant", *names, *summary.sweep.axes, "status", *metrics, "error", "job", *timed]
    rows = []
    for run in summary.sweep.runs:
        replicate = [run.seeds.get(key, "") for key in names]
        settings = [run.settings.get(key, "") for key in summary.sweep.axes]
        timing = [run.result.get("duration_s", ""), run.result.get("fit_s", ""), run.result.get("device") or ""]
        values = [run.metrics.get(name, "") for name in metrics]
        rows.append([run.variant, *replicate, *settings, run.status, *values, run.headline, run.name, *timing])
    return format_table([header, *rows])


def chosen_metrics(summary: Summary) -> list[str]:
    """The study's own metrics, or the most telling few."""
    asked = [m for m in summary.sweep.definition.get("metrics") or () if m in summary.metrics]
    return asked or list(summary.metrics[:SHOWN])


def groups_csv(summary: Summary) -> str:
    """`groups.csv`: one row per variant; per metric of its tables n, mean, standard deviation, 95 % interval, best,
    worst. `summary.csv` has every metric of every job.
    """
    metrics = chosen_metrics(summary)
    fields = ("n", "mean", "std", "ci_low", "ci_high", "best", "worst")
    header = ["variant", "jobs", "completed", "failed", *(f"{m} {f}" for m in metrics for f in fields)]
    rows = []
    for group in summary.groups:
        row: list[Any] = [group.variant, len(group.runs), sum(r.completed for r in group.runs), group.failed]
        for name in metrics:
            m = group.measured[name]
            low, high = m.ends or (None, None)
            row += [m.n, *("" if v is None else v for v in (m.mean, m.std, low, high, m.best, m.worst))]
        rows.append(row)
    return format_table([header, *rows])


def ranked(summary: Summary) -> list[Group]:
    """The groups, best mean of the primary metric first, those without one last."""
    if summary.primary is None:
        return list(summary.groups)
    primary = summary.primary
    sign = -1.0 if is_maximised(primary) else 1.0

    def key(group: Group) -> tuple[bool, float]:
        mean = group.measured[primary].mean
        return mean is None, 0.0 if mean is None else sign * mean

    return sorted(summary.groups, key=key)


def spread(measured: MetricSummary, language: Language, digits: int = 4) -> str:
    """`0.9958 ± 0.0021`: mean, standard deviation."""
    if measured.mean is None:
        return "–"
    deviation = "" if measured.std is None else f" ± {language.number(measured.std, 2)}"
    return f"{language.number(measured.mean, digits)}{deviation}"


def megabytes(size: int, language: Language) -> str:
    return f"{language.decimals(size / 1e6, 1)} MB" if size < 1e9 else f"{language.decimals(size / 1e9, 2)} GB"


def states(runs: Sequence[RunRow], language: Language) -> str:
    """`10 completed, 2 failed`."""
    counts: dict[str, int] = {}
    for run in runs:
        counts[run.status] = counts.get(run.status, 0) + 1
    return ", ".join(f"{count} {language.say(status)}" for status, count in sorted(counts.items()))
