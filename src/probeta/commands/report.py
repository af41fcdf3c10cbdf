"""`probeta report DIR`: the tables and the page of a sweep (or of one run), at any time, from files only."""

from __future__ import annotations

import os
from collections.abc import Sequence

from probeta.errors import ConfigError
from probeta.runs.artifacts import FIGURES

USAGE = """usage: probeta report DIR [lang=es] [figures=svg]
       probeta report RUN_A RUN_B

Writes summary.csv, groups.csv, summary.md and report.html into the sweep's folder DIR (or one run's),
from what its runs have written so far, and prints the summary. lang=es writes report.es.html, in Spanish.
figures=svg draws the figures of every run, too, each in its own folder (SVG and PDF beside PNG; png: that alone).

With two runs of translators: compares their translations of the test split by paired bootstrap, and writes a page
into RUN_B that puts them side by side, word by word.
"""


def main(argv: list[str]) -> int:
    """Returns the exit status. Raises `UserError` where DIR holds no runs."""
    lang = next((a.removeprefix("lang=") for a in reversed(argv) if a.startswith("lang=")), "en")
    figures = next((a.removeprefix("figures=") for a in reversed(argv) if a.startswith("figures=")), "none")
    if figures not in FIGURES:
        raise ConfigError.value("figures", figures, ", ".join(FIGURES))
    argv = [os.path.expanduser(a) for a in argv if not a.startswith(("lang=", "figures="))]
    if not argv or {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        if argv:
            return 0
        raise ConfigError("DIR is missing: probeta report DIR")
    if len(argv) == 2:
        from probeta.report.compare import write_comparison

        written = write_comparison(argv[0], argv[1], lang)
    elif len(argv) > 2:
        raise ConfigError(f"{argv[2]} is not accepted: probeta report takes one folder, or two runs to compare")
    else:
        from probeta.sweeps.report import write_report

        if formats := FIGURES[figures]:
            draw_all(argv[0], formats)
        written = write_report(argv[0], lang)
    print(written.text)
    from probeta.report.language import Language

    print(f"{Language(lang).say('page')}: {written.page}")
    return 0


def draw_all(directory: str, formats: Sequence[str]) -> None:
    """The figures of every completed run in `directory`, into its own `figures/`."""
    from probeta.figures.run import draw
    from probeta.runs.table import read_sweep

    for run in read_sweep(directory).runs:
        if run.completed:
            draw(run.path, formats=formats)
