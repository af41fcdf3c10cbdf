"""Tables and a page from run directories. Imports no torch: a report needs files only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Written:
    """What `write_report` left: the text for the terminal and the page's path."""

    text: str
    page: Path


def write_report(directory: str | Path) -> Written:
    """Write `summary.csv`, `groups.csv`, `summary.md` and `report.html` into `directory`.

    Raises `RunDirectoryError` where there are no runs, `OSError` where it cannot be written.
    """
    from probeta.report.markdown import summary_md
    from probeta.report.page import render
    from probeta.report.runs import read_sweep
    from probeta.report.summary import groups_csv, runs_csv, summarise
    from probeta.run import write_atomic

    summary = summarise(read_sweep(directory))
    text = summary_md(summary)
    root = summary.sweep.directory
    write_atomic(root / "summary.csv", runs_csv(summary))
    write_atomic(root / "groups.csv", groups_csv(summary))
    write_atomic(root / "summary.md", text)
    write_atomic(root / "report.html", render(summary))
    return Written(text, root / "report.html")
