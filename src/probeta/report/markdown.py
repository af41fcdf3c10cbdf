"""`summary.md`: the sweep's answer as a page of text, which terminals and repositories show."""

from __future__ import annotations

from collections.abc import Sequence

from probeta.report.summary import MANY, Summary, megabytes, ranked, spread, states, verdict

SHOWN = 4
"""Metrics in the table; `groups.csv` has them all."""


def summary_md(summary: Summary) -> str:
    """Question, table of variants, differences, failures, and how it came about."""
    definition = summary.sweep.definition
    parts = [f"# {definition.get('name') or summary.sweep.directory.name}"]
    if definition.get("question"):
        parts.append(str(definition["question"]))
    parts.append(f"{states(summary.sweep.runs)}; {megabytes(summary.bytes_kept)} on disk.")
    parts.append(groups_table(summary))
    parts += [f"- {note}" for note in definition.get("notes") or ()]
    if summary.comparisons and summary.primary:
        parts += ["## Differences", "Paired t-test over shared seeds, Holm's correction.", _differences(summary)]
    if summary.failures:
        from probeta.report.summary import _error

        parts.append("## Failed\n\n" + "\n".join(f"- `{run.name}`: {_error(run)}" for run in summary.failures))
    if definition.get("command"):
        parts.append(f"## Command\n\n```\n{definition['command']}\n```")
    return "\n\n".join(parts) + "\n"


def _differences(summary: Summary, most: int = 12) -> str:
    """Every pair where they are few; of many only those that differ."""
    real = [c for c in summary.comparisons if c.differs]
    listed = summary.comparisons if len(summary.comparisons) <= most else real[:MANY]
    told = [f"- {verdict(c, summary.primary or '')}" for c in listed]
    if rest := len(summary.comparisons) - len(listed):
        told.append(f"- {rest} other pairs, {len(real) - sum(c.differs for c in listed)} of which differ: report.html")
    return "\n".join(told)


def groups_table(summary: Summary, most: int = 60) -> str:
    """Variants by their primary metric, mean ± standard deviation over seeds."""
    names = chosen_metrics(summary)
    header = ["variant", "n", *names, "failed"]
    rows = [
        [
            group.variant,
            str(max((group.measured[m].n for m in names), default=0)),
            *(spread(group.measured[m]) for m in names),
            str(group.failed),
        ]
        for group in ranked(summary)[:most]
    ]
    table = _table([header, *rows])
    return table + (f"\n\n({len(summary.groups) - most} more in groups.csv)" if len(summary.groups) > most else "")


def chosen_metrics(summary: Summary) -> list[str]:
    """The study's own metrics, or the most telling few."""
    asked = [m for m in summary.sweep.definition.get("metrics") or () if m in summary.metrics]
    return asked or list(summary.metrics[:SHOWN])


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns also line up in a terminal."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
