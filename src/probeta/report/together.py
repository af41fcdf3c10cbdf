"""Several sweeps and runs on one page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from probeta.errors import ConfigError
from probeta.report.language import Language
from probeta.report.markdown import summary_md
from probeta.report.page import Written, page_name, render
from probeta.report.summary import summarise
from probeta.runs.atomic import write_atomic
from probeta.runs.identity import digest
from probeta.runs.table import choose_metrics, read_together


def write_together(directories: Sequence[str], lang: str = "en", metrics: Sequence[str] = ()) -> Written:
    """A page into the last of `directories` that compares the variants of all by the first of `metrics`.

    Raises `RunDirectoryError` where one of them holds no runs, `ConfigError` where one is given twice or no run has
    such a metric.
    """
    language = Language(lang)
    folders = [Path(directory).absolute() for directory in directories]
    if len(set(folders)) < len(folders):
        raise ConfigError(f"{' '.join(directories)}: one folder is given twice")
    sweep = read_together(directories)
    choose_metrics(sweep, metrics)
    typed = ["probeta", "report", *directories, *([f"metric={','.join(metrics)}"] if metrics else [])]
    typed += [] if lang == "en" else [f"lang={lang}"]
    names = [folder.name for folder in folders]
    sweep.definition |= {"name": ", ".join(names), "command": shlex.join(typed)}
    summary = summarise(sweep)
    # Its name holds no more of the others' than a file system takes.
    others = names[0] if len(names) == 2 and len(names[0]) < 100 else digest([str(folder) for folder in folders])
    page = folders[-1] / page_name(f"against_{others}", lang)
    write_atomic(page, render(summary, language))
    return Written(summary_md(summary, language), page)
