"""The answer of a sweep over the number of training examples: how the error falls with it, as a power law."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from probeta.metrics.direction import bounds, direction, is_maximised
from probeta.report.answer import Answer, Cell, Chart, Table
from probeta.report.charts import lines, series, short
from probeta.report.language import Language
from probeta.report.summary import Summary, chosen_metrics
from probeta.runs.identity import label_settings
from probeta.runs.row import RunRow
from probeta.stats.intervals import mean_interval
from probeta.stats.power_law import SIZES, PowerLaw, fit_power_law

KEYS = ("data.limit", "data.n_samples")
"""What says how many examples train."""

Curves = Mapping[Hashable, Mapping[int, float]]
"""Seed → training examples → error."""


def explain_learning(summary: Summary, language: Language) -> Answer | None:
    """The page's answer where runs differ in the number of their training examples, else `None`."""
    series = _series(summary)
    say = language.say
    sentences: list[str] = []
    rows: list[list[Cell]] = []
    charts: list[Chart] = []
    for metric in chosen_metrics(summary):
        if (most := _reaches(metric)) is None:
            continue
        curves = {name: _errors(runs, metric, most) for name, runs in series.items()}
        laws = {name: fit_power_law(found) for name, found in curves.items()}
        error = language.metric(metric) if most == 0.0 else f"{language.number(most)} − {language.metric(metric)}"
        for name, law in laws.items():
            title = f"{name}, {error}" if name else error
            sentences.append(f"{title}: {_sentence(law, language)}")
            rows.append(_row(title, law, curves[name], language))
        charts.append(_chart(error, curves, laws, language))
    if not rows:
        return None
    hint = say(
        "Fitted to the means over seeds by least squares of relative errors; the interval of the exponent is the "
        "jackknife's over seeds."
    )
    head = [say("error"), say("exponent c"), say("floor a"), say("sizes"), say("seeds")]
    return Answer(sentences, tables=[Table(say("Power laws a + b n⁻ᶜ"), head, rows, hint)], charts=charts)


def _series(summary: Summary) -> dict[str, list[RunRow]]:
    """The completed runs by all of their settings but the number of examples; nothing where that varies in none."""
    found: dict[str, list[RunRow]] = {}
    for run in summary.sweep.runs:
        own = {key: run.settings[key] for key in summary.sweep.axes if key in run.settings and key not in KEYS}
        if run.completed and _size(run) is not None:
            found.setdefault(label_settings(own), []).append(run)
    return {name: runs for name, runs in found.items() if len({_size(run) for run in runs}) >= SIZES}


def _size(run: RunRow) -> int | None:
    size = (run.result.get("examples") or {}).get("train")
    return size if isinstance(size, int) and any(key in run.settings for key in KEYS) else None


def _reaches(metric: str) -> float | None:
    """The value without any error: 0 of a loss, the upper bound of an accuracy or BLEU; `None` where there is none."""
    low, high = bounds(metric)
    if metric.startswith("train/") or direction(metric) is None:
        return None
    best = high if is_maximised(metric) else low
    return best if math.isfinite(best) else None


def _errors(runs: Sequence[RunRow], metric: str, most: float) -> Curves:
    found: dict[Hashable, dict[int, float]] = {}
    for run in runs:
        value, size = run.metrics.get(metric), _size(run)
        if value is not None and size is not None:
            found.setdefault(run.replicate, {})[size] = abs(most - value)
    return found


def _sentence(law: PowerLaw | None, language: Language) -> str:
    say = language.say
    if law is None:
        return say("no power law is fitted, since the error does not fall from the fewest to the most examples.")
    interval = f" ({language.interval_named(law.interval)})" if law.interval else ""
    tenth = say(
        "it falls as n to the power of -{c}{interval}: ten times the examples leave {left} % of what lies above "
        "{floor}.",
        c=language.number(law.exponent, 2), interval=interval, left=language.number(100 * 10**-law.exponent, 2),
        floor=language.number(law.floor, 2),
    )  # fmt: skip
    if law.interval is not None and law.interval.low == 0.0:
        tenth += " " + say("So few sizes and seeds do not tell the exponent from 0.")
    return tenth


def _row(title: str, law: PowerLaw | None, curves: Curves, language: Language) -> list[Cell]:
    sizes = len({size for curve in curves.values() for size in curve})
    ends = [Cell(str(sizes), sizes), Cell(str(len(curves)), len(curves))]
    if law is None:
        return [Cell(title), Cell("–"), Cell("–"), *ends]
    exponent = Cell(language.number(law.exponent, 3), law.exponent, language.interval(law.interval))
    return [Cell(title), exponent, Cell(language.number(law.floor, 3), law.floor), *ends]


def _chart(error: str, curves: Mapping[str, Curves], laws: Mapping[str, PowerLaw | None], language: Language) -> Chart:
    say = language.say
    drawn = {}
    for name, found in curves.items():
        sizes = sorted({size for curve in found.values() for size in curve})
        values = [[curve[size] for curve in found.values() if size in curve] for size in sizes]
        ends = [mean_interval(of_size, bounds=(0.0, math.inf)) for of_size in values]
        means = [sum(of_size) / len(of_size) for of_size in values]
        # A logarithmic axis has no 0.
        spans = [(m, e.low or m, e.high) if e else (m, m, m) for e, m in zip(ends, means, strict=True)]
        drawn[name or say("mean")] = series(sizes, spans, max(map(len, values)))
        if (law := laws[name]) is not None:
            x = np.geomspace(sizes[0], sizes[-1], 40)
            fitted = say("{name}: power law", name=name) if name else say("power law")
            drawn[fitted] = {"x": [short(n) for n in x], "mean": [short(y) for y in law(x)]}
    hint = say("Mean and 95 % interval over seeds; the line is the fitted power law.")
    return lines(error, say("training examples"), error, drawn, log_x=True, log_y=True, markers=True, hint=hint)
