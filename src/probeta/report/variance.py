"""Where the spread of runs comes from: shares of initial weights, order, noise and data, of runs that cross them.

Bouthillier et al., "Accounting for variance in machine learning benchmarks" (2021), arXiv 2103.03098: an interval is
about what its runs vary, and one over initial weights alone leaves out most of what other data would change.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Any

from probeta.report.answer import Answer, Cell, Chart, Table
from probeta.report.charts import bars
from probeta.report.language import Language
from probeta.report.summary import Group, Summary, chosen_metrics, cross, ranked
from probeta.runs.cells import format_table
from probeta.runs.row import REPLICATES
from probeta.stats.variance_components import Crossed, Share, VarianceComponents, decompose

NAMES = {
    "seed": "seed",
    "seeds.init": "initial weights",
    "seeds.order": "order of batches",
    "seeds.noise": "noise of training",
    "data.seed": "data",
}
"""What pages call the sources."""

ABSENT = {
    "seeds.order": "Order of batches: no such source, since an epoch is one batch.",
    "seeds.noise": "Noise of training: no such source, without dropout or sampled teacher forcing.",
    "data.seed": "Data: no such source, since they have no seed.",
}

TELLING = 0.95
"""Share of the variance that a study has to see."""

EXPLAINED = 6
"""Variants that are explained."""


def explain_variance(summary: Summary, language: Language) -> Answer | None:
    """The page's answer where runs of a variant cross several seeds, else `None`."""
    metrics = chosen_metrics(summary)
    groups = _crossing(summary, metrics)
    sentences: list[str] = []
    tables: list[Table] = []
    charts: list[Chart] = []
    for group in groups:
        title = language.say(group.variant) if len(groups) > 1 else ""
        absent = group.runs[0].absent
        found = {name: cross(group.runs, name) for name in metrics}
        shares = {name: _decompose(c) for name, c in found.items() if c is not None and c.is_complete}
        told = [_sentence(name, found[name], shares.get(name), language) for name in metrics]
        told += [language.say(ABSENT[key]) for key in absent]
        if "data.seed" not in absent and not any("data.seed" in c.levels for c in shares.values()):
            told.append(language.say("Data were not varied: all of this is about these data."))
        sentences += [f"{title}: {sentence}" if title else sentence for sentence in told if sentence]
        if shares:
            tables.append(_table(shares, absent, title, language))
            charts += [_chart(name, c, title, language) for name, c in shares.items() if _varies(c)]
    if not sentences:
        return None
    sentences.append(
        language.say(
            "An interval is about what its runs vary: what they hold is a condition of the result "
            "(Bouthillier et al. 2021, arXiv 2103.03098)."
        )
    )
    return Answer(sentences, tables=tables, charts=charts)


def variance_csv(summary: Summary) -> str:
    """`variance.csv`: one row per variant, metric and component; empty where no runs cross seeds.

    An estimate of a variance may lie below 0; its share is then 0.
    """
    rows: list[list[Any]] = []
    for group in _crossing(summary, summary.metrics):
        for name in summary.metrics:
            crossed = cross(group.runs, name)
            for c in _decompose(crossed).components if crossed is not None and crossed.is_complete else ():
                share = (c.share.value, c.share.low, c.share.high)
                rows.append([group.variant, name, " x ".join(c.sources), c.df, c.mean_square, c.variance, *share])
    header = ["variant", "metric", "sources", "df", "mean_square", "variance", "share", "ci_low", "ci_high"]
    return format_table([header, *rows]) if rows else ""


def _crossing(summary: Summary, metrics: Sequence[str]) -> list[Group]:
    return [g for g in ranked(summary)[:EXPLAINED] if any(cross(g.runs, name) is not None for name in metrics)]


def _decompose(crossed: Crossed) -> VarianceComponents:
    return decompose(crossed.values, [REPLICATES[axis] for axis in crossed.axes])


def _varies(components: VarianceComponents) -> bool:
    return any(c.mean_square > 0.0 for c in components.components)


def _sentence(metric: str, crossed: Crossed | None, found: VarianceComponents | None, language: Language) -> str:
    """What the variance of `metric` consists of, and what a study varies to see it."""
    say, name = language.say, language.metric(metric)
    if crossed is None:
        return ""
    if found is None:
        lost = int((crossed.values != crossed.values).sum())
        return say("{metric}: {k} of {n} runs have no value: no shares.", metric=name, k=lost, n=crossed.values.size)
    if not _varies(found):
        return say("{metric}: all {n} runs are equal.", metric=name, n=crossed.values.size)
    shares = [(say(NAMES[c.sources[0]]), c.share) for c in found.components if len(c.sources) == 1]
    shares.sort(key=lambda share: -share[1].value)
    shares.append((say("their interactions"), found.share_of_interactions()))
    parts = language.list(f"{source} {_percent(share.value, language)}" for source, share in shares)
    told = [say("{metric}: {parts} of the variance.", metric=name, parts=parts)]
    if found.without_effect:
        same = _named(found.without_effect, language)
        told.append(say("Runs that differ in nothing but {sources} are equal.", sources=same))
    enough, share = _named(find_enough(found), language), _percent(TELLING, language)
    told.append(say("To see {share} of it, a study varies {sources}.", share=share, sources=enough))
    others = [key for key in found.levels if key != "data.seed"]
    if "data.seed" in found.levels and others:
        seen = found.share_seen(others)
        share, interval = _percent(seen.value, language), _interval(seen, language)
        told.append(say("With the data held, it sees {share} ({interval}).", share=share, interval=interval))
    return " ".join(told)


def find_enough(found: VarianceComponents) -> tuple[str, ...]:
    """The fewest sources that, varied together, see `TELLING` of the variance; of several, those that see most."""
    keys = [key for key in found.levels if key not in found.without_effect]
    for size in range(1, len(keys)):
        best = max(combinations(keys, size), key=lambda varied: found.share_seen(varied).value)
        if found.share_seen(best).value >= TELLING:
            return best
    return tuple(keys)


def _table(shares: dict[str, VarianceComponents], absent: Sequence[str], title: str, language: Language) -> Table:
    say = language.say
    first = next(iter(shares.values()))
    rows = []
    for i, component in enumerate(first.components):
        of_metrics = [found.components[i] for found in shares.values()]
        cells = [
            Cell(_percent(c.share.value, language), c.share.value, _interval(c.share, language)) for c in of_metrics
        ]
        rows.append([Cell(_named(component.sources, language, " × ")), *cells])
    for key in absent:
        nothing = Cell(_percent(0.0, language), 0.0, say("no such source"))
        rows.append([Cell(say(NAMES[key])), *[nothing] * len(shares)])
    levels = ", ".join(f"{say(NAMES[key])}: {n}" for key, n in first.levels.items())
    hint = say(
        "Balanced random-effects analysis of variance of {runs} runs ({levels}); × is an interaction. Below each share "
        "its 95 % interval. An estimate below 0 is shown as 0, so a column may add up to a little more than 100 %.",
        runs=math.prod(first.levels.values()), levels=levels,
    )  # fmt: skip
    heading = say("Shares of the variance")
    head = [say("source of variance"), *(language.metric(name) for name in shares)]
    return Table(f"{heading} – {title}" if title else heading, head, rows, hint)


def _chart(metric: str, found: VarianceComponents, title: str, language: Language) -> Chart:
    rows = [
        (_named(c.sources, language, " × "), 100 * c.share.value, 100 * c.share.low, 100 * c.share.high)
        for c in found.components
    ]
    name = language.metric(metric)
    return bars(
        f"{name} – {title}" if title else name,
        language.say("% of the variance"),
        rows,
        language.say("Line: 95 % interval."),
    )


def _named(keys: Collection[str], language: Language, between: str | None = None) -> str:
    names = [language.say(NAMES[key]) for key in keys]
    return language.list(names) if between is None else between.join(names)


def _percent(share: float, language: Language) -> str:
    return f"{_hundredths(share, language)} %"


def _interval(share: Share, language: Language) -> str:
    low, high = _hundredths(share.low, language), _hundredths(share.high, language)
    return f"{language.say('{low} to {high}', low=low, high=high)} %"


def _hundredths(share: float, language: Language) -> str:
    """Two significant digits, none beyond a tenth of a hundredth."""
    return language.number(round(100.0 * share, 1), 2 if share < 0.995 else 3)
