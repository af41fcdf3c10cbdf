"""`report.html`: one self-contained page that answers the sweep's question, without a network."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from probeta.report.gallery import Picture, pictures
from probeta.report.markdown import chosen_metrics
from probeta.report.metrics import maximised, shown
from probeta.report.runs import Run, read_curves
from probeta.report.summary import MANY, Group, Summary, megabytes, ranked, spread, states
from probeta.sweeps.jobs import headline

DRAWN = 12
"""Variants whose curves are drawn: more lines than that cannot be told apart."""

POINTS = 200
"""Points of a curve: a wider screen shows no more."""

LOSSES = ("train/loss", "val/loss", "val/loss_free")


def render(summary: Summary) -> str:
    """The page of `summary`."""
    environment = Environment(
        loader=PackageLoader("probeta.report", "templates"), autoescape=select_autoescape(["html"]), trim_blocks=True
    )
    definition = summary.sweep.definition
    metrics = chosen_metrics(summary)
    data = {
        "metrics": {name: {"max": maximised(name)} for name in metrics},
        "groups": _strips(summary, metrics),
        "curves": _curves(summary),
        "parallel": _parallel(summary),
    }
    return environment.get_template("report.html").render(
        title=definition.get("name") or summary.sweep.directory.name,
        question=definition.get("question") or "",
        notes=definition.get("notes") or (),
        states=states(summary.sweep.runs),
        size=megabytes(summary.bytes_kept),
        metrics=metrics,
        groups=[_group_row(group, metrics) for group in ranked(summary)],
        primary=summary.primary,
        direction="higher is better" if summary.primary and maximised(summary.primary) else "lower is better",
        verdicts=_differences(summary),
        runs=[_run_row(run, metrics, summary.sweep.axes) for run in summary.sweep.runs],
        axes=summary.sweep.axes,
        failures=[
            (run.name, headline(run.error or {}), (run.error or {}).get("traceback") or "") for run in summary.failures
        ],
        pictures=_encoded(pictures([run for group in ranked(summary) for run in group.runs])),
        command=definition.get("command") or "",
        versions=_versions(summary),
        directory=str(summary.sweep.directory),
        data=_json(data),
        plotly=_plotly() if summary.metrics else "",
    )


def _group_row(group: Group, metrics: Sequence[str]) -> dict[str, Any]:
    cells = []
    for name in metrics:
        m = group.measured[name]
        interval = f"{shown(m.interval[0])} to {shown(m.interval[1])}" if m.interval else ""
        extremes = f"best {shown(m.best)}, worst {shown(m.worst)}" if m.n > 1 else ""
        cells.append(
            {"text": spread(m), "sort": "" if m.mean is None else m.mean, "interval": interval, "extremes": extremes}
        )
    return {"variant": group.variant, "n": sum(r.completed for r in group.runs), "failed": group.failed, "cells": cells}


def _run_row(run: Run, metrics: Sequence[str], axes: Sequence[str]) -> dict[str, Any]:
    values = [run.metrics.get(name) for name in metrics]
    return {
        "name": run.name,
        "variant": run.variant,
        "seed": " / ".join(str(part) for part in run.replicate),
        "status": run.status,
        "values": [("" if v is None else shown(v), "" if v is None else v) for v in values],
        "duration": run.result.get("duration_s", ""),
    }


def _differences(summary: Summary) -> list[dict[str, Any]]:
    """A row a pair, real differences first."""
    up = maximised(summary.primary or "")
    rows = []
    for c in sorted(summary.comparisons, key=lambda c: (not c.differs, c.p_holm is None, c.p_holm or 0.0)):
        words = "better" if (c.difference > 0) == up else "worse"
        verdict = "no difference shown" if c.p_holm is not None else "not tested"
        rows.append(
            {
                "pair": f"{c.a} – {c.b}",
                "differs": c.differs,
                "verdict": f"first is {words}" if c.differs else verdict,
                "difference": f"{'+' if c.difference > 0 else ''}{shown(c.difference)}",
                "sort": c.difference,
                "interval": f"{shown(c.interval[0])} to {shown(c.interval[1])}" if c.interval else "",
                "p": "" if c.p is None else f"{shown(c.p, 2)} ({shown(c.p_holm, 2)})",
                "p_sort": "" if c.p_holm is None else c.p_holm,
                "seeds": c.seeds,
            }
        )
    return rows[: 20 * MANY]


def _strips(summary: Summary, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Per variant and metric: every run's value, the mean, its interval."""
    found = []
    for group in ranked(summary)[:MANY]:
        entry: dict[str, Any] = {"variant": group.variant, "values": {}}
        for name in metrics:
            m = group.measured[name]
            values = [v for run in group.runs if run.completed and (v := run.metrics.get(name)) is not None]
            entry["values"][name] = {"all": values, "mean": m.mean, "interval": m.interval}
        found.append(entry)
    return found


def _curves(summary: Summary) -> dict[str, list[dict[str, Any]]]:
    """Metric → per variant: epochs, mean over seeds, lowest and highest."""
    wanted = set(summary.sweep.definition.get("curves") or ()) or {*LOSSES, *_followed(summary)}
    found: dict[str, list[dict[str, Any]]] = {}
    for group in ranked(summary)[:DRAWN]:
        curves = [read_curves(run.path, wanted) for run in group.runs if run.status != "failed"]
        for name in sorted({name for curve in curves for name in curve}):
            if (band := _band([curve[name] for curve in curves if name in curve])) is not None:
                found.setdefault(name, []).append({"variant": group.variant, **band})
    return dict(sorted(found.items(), key=lambda item: (item[0] not in wanted, item[0])))


def _followed(summary: Summary) -> set[str]:
    """What validation logs of the metrics that the summary is about."""
    return {"val/" + name.rsplit("/", 1)[-1] for name in chosen_metrics(summary)}


def _band(curves: Sequence[dict[int, float]]) -> dict[str, Any] | None:
    """Mean, lowest and highest over the runs that have the epoch (early stopping ends some sooner)."""
    epochs = sorted({epoch for curve in curves for epoch in curve})
    if len(epochs) < 2:
        return None
    step = math.ceil(len(epochs) / POINTS)
    kept = epochs[::step] if (len(epochs) - 1) % step == 0 else [*epochs[::step], epochs[-1]]
    rows = [[curve[e] for curve in curves if e in curve] for e in kept]
    return {
        "x": kept,
        "mean": [_short(sum(r) / len(r)) for r in rows],
        "low": [_short(min(r)) for r in rows],
        "high": [_short(max(r)) for r in rows],
        "runs": len(curves),
    }


def _parallel(summary: Summary) -> dict[str, Any] | None:
    """A line a variant across the settings of a grid, ending at the primary metric.

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
            lines.append({"variant": group.variant, "settings": plain, "mean": mean})
    return {"axes": axes, "metric": summary.primary, "lines": lines} if len(lines) > 1 else None


def _text(value: Any) -> str:
    return "default" if value is None else json.dumps(value, default=str)


def _encoded(found: Sequence[Picture]) -> list[dict[str, str]]:
    return [
        {"title": p.title, "variant": p.variant, "source": "data:image/png;base64," + base64.b64encode(p.png).decode()}
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


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def _json(data: Any) -> str:
    """JSON that may stand inside `<script>`: no `</script>`, whatever a variant is called."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


@lru_cache(maxsize=1)
def _plotly() -> str:
    """Plotly's library, compressed: the browser unpacks it (4.8 MB would be most of the page)."""
    import importlib.util

    # Found, not imported: plotly's Python side would cost what the whole report does.
    spec = importlib.util.find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "package_data" / "plotly.min.js"
    return base64.b64encode(gzip.compress(source.read_bytes(), 3, mtime=0)).decode()
