"""`probeta report DIR`: the tables and the page of a sweep (or of one run), at any time, from files only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from probeta.errors import ConfigError
from probeta.runs.artifacts import FIGURES
from probeta.runs.directory import RunDirectory

USAGE = """usage: probeta report DIR [metric=test/loss] [lang=es] [figures=svg] [format=latex]
       probeta report DIR_A DIR_B … [metric=test/loss] [lang=es]

Writes summary.csv, groups.csv, summary.md and report.html into the sweep's folder DIR (or one run's),
from what its runs have written so far, and prints the summary. lang=es writes report.es.html, in Spanish.
figures=svg draws the figures of every run, too, each in its own folder (SVG and PDF beside PNG; png: that alone).

metric= is what variants are compared by; several are shown by metric=test/loss,test/acc, the first of which decides.

format=latex writes the table of variants into the sweep's table.tex, for a paper, and prints it.

With several sweeps or runs: writes a page into the last one that compares all of their variants.

With two runs of translators: compares their translations of the test split by paired bootstrap, and writes a page
into RUN_B that puts them side by side, word by word.
"""


def main(argv: list[str]) -> int:
    """Returns the exit status. Raises `UserError` where DIR holds no runs."""
    lang = next((a.removeprefix("lang=") for a in reversed(argv) if a.startswith("lang=")), "en")
    figures = next((a.removeprefix("figures=") for a in reversed(argv) if a.startswith("figures=")), "none")
    if figures not in FIGURES:
        raise ConfigError.value("figures", figures, ", ".join(FIGURES))
    metric = next((a.removeprefix("metric=") for a in reversed(argv) if a.startswith("metric=")), "")
    metrics = [name for name in metric.split(",") if name]
    format_ = next((a.removeprefix("format=") for a in reversed(argv) if a.startswith("format=")), "page")
    if format_ not in ("page", "latex"):
        raise ConfigError.value("format", format_, "page or latex")
    argv = [os.path.expanduser(a) for a in argv if not a.startswith(("lang=", "figures=", "metric=", "format="))]
    if not argv or {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        if argv:
            return 0
        raise ConfigError("DIR is missing: probeta report DIR")
    if format_ == "latex":
        if len(argv) > 1:
            raise ConfigError("format=latex is the table of one sweep: probeta report DIR format=latex")
        from probeta.sweeps.report import write_latex

        print(write_latex(argv[0], lang, metrics), end="")
        return 0
    if len(argv) == 1:
        from probeta.sweeps.report import write_report

        if formats := FIGURES[figures]:
            draw_all(argv[0], formats)
        written = write_report(argv[0], lang, metrics)
    elif len(argv) == 2 and not metrics and all(is_translation(directory) for directory in argv):
        from probeta.report.compare import write_comparison

        written = write_comparison(argv[0], argv[1], lang)
    else:
        from probeta.report.together import write_together

        written = write_together(argv, lang, metrics)
    print(written.text)
    from probeta.report.language import Language

    print(f"{Language(lang).say('page')}: {written.page}")
    return 0


def is_translation(directory: str) -> bool:
    """Whether `directory` is a run of a translator, whose sentences can be compared one by one."""
    return RunDirectory(Path(directory)).artifacts.path("errors.test").exists()


def draw_all(directory: str, formats: Sequence[str]) -> None:
    """The figures of every completed run in `directory`, into its own `figures/`."""
    from probeta.figures.run import draw
    from probeta.runs.table import read_sweep

    for run in read_sweep(directory).runs:
        if run.completed:
            draw(run.path, formats=formats)
