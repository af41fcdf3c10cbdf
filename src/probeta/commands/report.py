"""`probeta report DIR`: the tables and the page of a sweep (or of one run), at any time, from files only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from probeta.commands.arguments import split_folders
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
into the second that puts them side by side, word by word.
"""


def main(argv: list[str]) -> int:
    """Returns the exit status. Raises `UserError` where DIR holds no runs."""
    folders, values = split_folders(argv, ("lang", "figures", "metric", "format"))
    lang, figures, form = values.get("lang", "en"), values.get("figures", "none"), values.get("format", "page")
    if figures not in FIGURES:
        raise ConfigError.value("figures", figures, ", ".join(FIGURES))
    metrics = [name for name in values.get("metric", "").split(",") if name]
    if form not in ("page", "latex"):
        raise ConfigError.value("format", form, "page or latex")
    if not folders or {"-h", "--help"} & set(folders):
        print(USAGE, end="")
        if folders:
            return 0
        raise ConfigError("DIR is missing: probeta report DIR")
    if form == "latex":
        if len(folders) > 1:
            raise ConfigError("format=latex is the table of one sweep: probeta report DIR format=latex")
        from probeta.sweeps.report import write_latex

        print(write_latex(folders[0], lang, metrics), end="")
        return 0
    if len(folders) == 1:
        from probeta.sweeps.report import write_report

        if formats := FIGURES[figures]:
            draw_all(folders[0], formats)
        written = write_report(folders[0], lang, metrics)
    elif len(folders) == 2 and not metrics and all(is_translation(directory) for directory in folders):
        from probeta.report.compare import write_comparison

        written = write_comparison(folders[0], folders[1], lang)
    else:
        from probeta.report.together import write_together

        written = write_together(folders, lang, metrics)
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
