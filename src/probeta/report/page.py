"""`report.html`: one self-contained page that answers the sweep's question, without a network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, select_autoescape

from probeta.metrics.direction import direction, is_maximised
from probeta.report import attention, by_size
from probeta.report.answer import Answer
from probeta.report.charts import band
from probeta.report.gallery import Picture
from probeta.report.language import Language
from probeta.report.markdown import decisions_of
from probeta.report.single import describe_run, only_run, run_tables
from probeta.report.summary import MANY, Group, Summary, chosen_metrics, megabytes, ranked, spread, states
from probeta.report.verdicts import failing_more, interval_subject, no_difference, rank_first, say_tested
from probeta.runs.row import RunRow

DRAWN = 12
"""Variants whose curves are drawn: more lines than that cannot be told apart."""

LOSSES = ("train/loss", "val/loss", "val/loss_free")


def render(
    summary: Summary,
    language: Language,
    answer: Answer | None = None,
    found: Sequence[Picture] = (),
    others: Sequence[tuple[str, str]] = (),
) -> str:
    """The page of `summary`, with its `answer` and the pictures `found`.

    `others`: address and name of pages that belong to it (the same in another language, the index).
    """
    definition = summary.sweep.definition
    single = only_run(summary.sweep)
    metrics = chosen_metrics(summary)
    # In the study's order; of more variants than there is room for, the best.
    runs = summary.sweep.runs if len(summary.groups) <= attention.MODELS else in_rank(summary)
    weights = attention.collect_attention(runs)
    decided = decisions_of(summary)
    tables = [*(answer.tables if answer else ()), *([decided.table(language)] if decided else ())]
    tables += run_tables(single, language) if single else []
    drawn = list(answer.charts) if answer else by_size.charts(summary, language)
    drawn += decided.charts(language) if decided else []
    charts = [{"title": chart.title, **chart.data} for chart in drawn]
    data = {
        "metrics": {name: {"max": is_maximised(name), "name": language.metric(name)} for name in metrics},
        "groups": _strips(summary, metrics, language),
        "curves": _curves(summary, language),
        "parallel": _parallel(summary, language),
        "charts": charts,
        "words": {**words(language), "attention": attention.words(language)},
        "separators": ",." if language.number(0.5) == "0,5" else ".,",
    }
    plotly, plotly_hash = _plotly() if summary.metrics or charts else ("", "")
    return render_template(
        "report.html",
        language,
        ["report.js", *([] if weights is None else ["attention.js"])],
        [plotly_hash] if plotly else [],
        title=language.tell(definition.get("title") or definition.get("name") or summary.sweep.directory.name),
        question=language.tell(definition.get("question") or ""),
        notes=summary.notes(language),
        others=others,
        answer=answer,
        charts=drawn,
        bands=any(
            "runs" in series and series.get("low") for c in drawn if not c.hint for series in c.data.get("series", ())
        ),
        tables=tables,
        states=states(summary.sweep.runs, language),
        size=megabytes(summary.bytes_kept, language),
        metrics=[language.metric(name) for name in metrics],
        groups=[_group_row(group, metrics, language) for group in ranked(summary)],
        primary=language.metric(summary.primary) if summary.primary and not single else None,
        subject=" ".join(interval_subject(summary, metrics, language)),
        better=None if summary.primary is None else direction(summary.primary),
        tested=say_tested(summary, language),
        verdicts=_differences(summary, language),
        failing=[failing_more(c, language) for c in summary.failures_compared[:MANY]],
        family=len(summary.family),
        runs=[_run_row(run, metrics, language) for run in summary.sweep.runs],
        failures=[(run.name, run.headline, (run.error or {}).get("traceback") or "") for run in summary.failures],
        attention="" if weights is None else pack(as_json(weights).encode()),
        pictures=_encoded(found, summary.sweep.directory),
        command=definition.get("command") or "",
        versions=_versions(summary),
        directory=str(summary.sweep.directory),
        single=single is not None,
        described=describe_run(single, language) if single else [],
        data=as_json(data),
        plotly=plotly,
    )


def in_rank(summary: Summary) -> list[RunRow]:
    return [run for group in ranked(summary) for run in group.runs]


def render_template(
    name: str, language: Language, scripts: Sequence[str], inserted: Sequence[str] = (), **values: Any
) -> str:
    """A template whose words are in `language`: `_("…")`, and `say("… {x}", x=…)` with placeholders.

    Its policy lets the browser run the files `scripts`, which the page ends with, and what these insert (the hashes
    `inserted`), and nothing else: whatever a text in it may be taken for, the page loads and sends nothing.
    """
    templates = _load_templates()
    assert templates.loader is not None
    # As the browser reads them, wherever they were checked out.
    sources = [templates.loader.get_source(templates, script)[0].replace("\r\n", "\n") for script in scripts]
    hashes = [*(_hash_script(source.encode()) for source in sources), *inserted]
    # Plotly writes styles of its own.
    policy = f"default-src 'none'; script-src {' '.join(hashes)}; style-src 'unsafe-inline'; img-src data:"
    policy += "; base-uri 'none'; form-action 'none'"
    words = {"_": language.say, "say": language.say, "lang": language.code}
    return templates.get_template(name).render(policy=policy, scripts=sources, **words, **values)


@cache
def _load_templates() -> Environment:
    """Which keeps each compiled."""
    loader = PackageLoader("probeta.report", "templates")
    return Environment(loader=loader, autoescape=select_autoescape(["html"]), trim_blocks=True)


def _hash_script(source: bytes) -> str:
    """A script as a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source).digest()).decode()}'"


def page_name(stem: str, lang: str) -> str:
    """`report.html`, in another language than English `report.es.html`."""
    return f"{stem}.html" if lang == "en" else f"{stem}.{lang}.html"


def words(language: Language) -> dict[str, str]:
    """What the page's script says."""
    say = language.say
    return {
        "dark": say("Dark"),
        "light": say("Light"),
        "runs": say("runs"),
        "mean": say("mean"),
        "interval": say("mean and 95 % interval"),
        "epoch": say("epoch"),
        "download": say("Download the chart as SVG"),
        "old": say("The charts need a newer browser; the tables have the numbers."),
    }


def _group_row(group: Group, metrics: Sequence[str], language: Language) -> dict[str, Any]:
    cells = []
    n, completed = group.n(metrics), sum(r.completed for r in group.runs)
    for name in metrics:
        m = group.measured[name]
        best, worst = (language.number(v) for v in (m.best, m.worst)) if m.n > 1 else ("", "")
        extremes = language.say("best {best}, worst {worst}", best=best, worst=worst) if best else ""
        sort = "" if m.mean is None else m.mean
        interval = language.interval(m.interval)
        if m.n not in (0, n):
            interval = ", ".join(filter(None, (interval, f"n = {m.n}")))
        cells.append({"text": spread(m, language), "sort": sort, "small": interval, "extremes": extremes})
    return {
        "variant": language.say(group.variant),
        "n": n,
        "of": "" if n == completed else language.say("of {n} completed", n=completed),
        "failed": group.failed,
        "cells": cells,
    }


def _run_row(run: RunRow, metrics: Sequence[str], language: Language) -> dict[str, Any]:
    values = [run.metrics.get(name) for name in metrics]
    duration = run.result.get("duration_s")
    return {
        "name": run.name,
        "variant": language.say(run.variant),
        "seed": run.seed_label,
        "status": run.status,
        "values": [("" if v is None else language.number(v), "" if v is None else v) for v in values],
        "duration": "" if duration is None else language.number(duration),
        "duration_sort": "" if duration is None else duration,
    }


def _differences(summary: Summary, language: Language) -> list[dict[str, Any]]:
    """One row per pair, real differences first."""
    rows = []
    for c in sorted(summary.comparisons, key=lambda c: (not c.differs, c.p_holm is None, c.p_holm or 0.0)):
        rows.append(
            {
                "pair": f"{language.say(c.a)} – {language.say(c.b)}",
                "differs": c.differs,
                "failed": f"{c.failed[0]} / {c.failed[1]}" if sum(c.failed) else "",
                "verdict": rank_first(c, summary.primary or "", language) if c.differs else no_difference(c, language),
                "difference": language.signed(c.difference),
                "sort": c.difference,
                "interval": language.interval(c.interval),
                "p": "" if c.p is None else f"{language.number(c.p, 2)} ({language.number(c.p_holm, 2)})",
                "p_sort": "" if c.p_holm is None else c.p_holm,
                "seeds": c.seeds,
            }
        )
    return rows[: 20 * MANY]


def _strips(summary: Summary, metrics: Sequence[str], language: Language) -> list[dict[str, Any]]:
    """Per variant and metric: every run's value, the mean, its interval."""
    found = []
    for group in ranked(summary)[:MANY]:
        entry: dict[str, Any] = {"variant": language.say(group.variant), "values": {}}
        for name in metrics:
            m = group.measured[name]
            values = [v for run in group.runs if run.completed and (v := run.metrics.get(name)) is not None]
            entry["values"][name] = {"all": values, "mean": m.mean, "interval": m.ends}
        found.append(entry)
    return found


def _curves(summary: Summary, language: Language) -> dict[str, dict[str, Any]]:
    """Metric → its name, and per variant: epochs, mean over seeds, lowest and highest."""
    wanted = set(summary.sweep.definition.get("curves") or ()) or {*LOSSES, *_followed(summary)}
    found: dict[str, list[dict[str, Any]]] = {}
    for group in ranked(summary)[:DRAWN]:
        curves = [run.curves(wanted) for run in group.runs if run.status != "failed"]
        for name in sorted({name for curve in curves for name in curve}):
            if (line := band([curve[name] for curve in curves if name in curve])) is not None:
                found.setdefault(name, []).append({"name": language.say(group.variant), **line})
    return {name: {"name": language.curve(name), "series": found[name]} for name in sorted(found)}


def _followed(summary: Summary) -> set[str]:
    """What validation logs of the metrics that the summary is about."""
    return {"val/" + name.rsplit("/", 1)[-1] for name in chosen_metrics(summary)}


def _parallel(summary: Summary, language: Language) -> dict[str, Any] | None:
    """One line per variant across the settings of a grid, ending at the primary metric.

    Keys that only some variants set (a study's, one change at a time) are no axes of a grid.
    """
    axes = [key for key in summary.sweep.axes if all(key in run.settings for run in summary.sweep.runs)]
    if len(axes) < 2 or summary.primary is None:
        return None
    lines = []
    for group in ranked(summary)[:500]:
        mean = group.measured[summary.primary].mean
        if mean is not None:
            settings = [group.runs[0].settings.get(key) for key in axes]
            plain = [s if isinstance(s, int | float | str) and not isinstance(s, bool) else _text(s) for s in settings]
            lines.append({"variant": language.say(group.variant), "settings": plain, "mean": mean})
    return {"axes": axes, "metric": summary.primary, "lines": lines} if len(lines) > 1 else None


def _text(value: Any) -> str:
    return "default" if value is None else json.dumps(value, default=str)


def _encoded(found: Sequence[Picture], directory: Path) -> list[dict[str, Any]]:
    """The pictures in the page, and links from its `directory` to their vector files."""
    return [
        {
            "title": p.title,
            "variant": p.variant,
            "source": "data:image/png;base64," + base64.b64encode(p.png).decode(),
            "vectors": [(path.suffix[1:].upper(), quote(os.path.relpath(path, directory))) for path in p.vectors],
        }
        for p in found
    ]


def _versions(summary: Summary) -> list[tuple[str, str]]:
    found: dict[str, set[str]] = {}
    for run in summary.sweep.runs:
        for name, version in (run.result.get("versions") or {}).items():
            found.setdefault(name, set()).add(str(version))
        for name in ("git", "device", "launcher"):
            if run.result.get(name):
                found.setdefault(name, set()).add(str(run.result[name]))
    return [(name, ", ".join(sorted(values))) for name, values in found.items()]


def as_json(data: Any) -> str:
    """JSON that may stand inside `<script>`: no `</script>`, whatever a variant is called."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


@lru_cache(maxsize=1)
def _plotly() -> tuple[str, str]:
    """Plotly's library, compressed, and its hash: the browser unpacks it (4.8 MB would be most of the page)."""
    import importlib.util

    # Found, not imported: plotly's Python side would cost what the whole report does.
    spec = importlib.util.find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
    return pack(source), _hash_script(source)


def pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 3, mtime=0)).decode()


@dataclass(frozen=True)
class Written:
    """What `write_report` left: the text for the terminal and the page's path."""

    text: str
    page: Path
