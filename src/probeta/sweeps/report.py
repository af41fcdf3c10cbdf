"""The last act of a sweep: its tables and its page, and an exercise's answer."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from probeta.report.page import Written
from probeta.runs.identity import digest as short_hash
from probeta.runs.record import git_revision, versions

STAMP = ".report"
"""Says, in a sweep's directory, what its report was made of."""


def read_report(directory: str | Path, lang: str = "en") -> Written | None:
    """What `write_report` left, where it would write the same again: `None` where a run, the question, the program or
    a file that it wrote has changed since, and where a run may change."""
    from probeta.report.page import page_name

    root = Path(directory).absolute()
    try:
        inputs = _inputs(root, lang)
        if inputs is None or (root / STAMP).read_text() != _stamp(root, inputs):
            return None
        return Written((root / "summary.md").read_text(encoding="utf-8"), root / page_name("report", lang))
    except (OSError, UnicodeDecodeError):
        return None


def _inputs(root: Path, lang: str) -> list[Any] | None:
    """What the report in `root` is made of, as it stands now; `None` where a run has begun that left no result."""
    found: list[Any] = [lang, versions(), git_revision()]
    found += [
        path.read_text(errors="replace") if (path := root / name).exists() else ""
        for name in ("sweep.json", "failures.json")
    ]
    for name in sorted(entry.name for entry in os.scandir(root) if entry.is_dir()):
        result, *signs = (root / name / sign for sign in ("result.json", ".hydra", ".lock"))
        if result.exists():
            found.append([name, _changed(result)])
        elif any(sign.exists() for sign in signs):
            return None
    return found


def _stamp(root: Path, inputs: list[Any]) -> str:
    written = sorted(
        p for pattern in ("summary.*", "groups.csv", "report*.html", "answer.json") for p in root.glob(pattern)
    )
    return short_hash([inputs, [(path.name, _changed(path)) for path in written]], 64)


def _changed(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def write_report(directory: str | Path, lang: str = "en", metrics: Sequence[str] = ()) -> Written:
    """Write `summary.csv`, `groups.csv`, `summary.md` and `report.html` into `directory`.

    They are about `metrics`, the first of which decides, where any are given, else about those of the sweep.

    Where runs cross several seeds, `variance.csv` has the shares of the variance. In another language than English the
    page is `report.<lang>.html`. An exercise's page has an answer in words, and is written in every language.
    Raises `RunDirectoryError` where there are no runs, `ConfigError` for a language without a catalogue, `OSError`
    where it cannot be written.
    """
    from probeta.exercises import answer as answer_of
    from probeta.exercises import derived, exercise
    from probeta.exercises.index import ANSWER, digest, others
    from probeta.report.curvature import explain_curvature
    from probeta.report.explained import explain_attention
    from probeta.report.gallery import pictures
    from probeta.report.landscape import explain_landscape
    from probeta.report.language import LANGUAGES, NAMES, Language
    from probeta.report.learning_curve import explain_learning
    from probeta.report.markdown import summary_md
    from probeta.report.page import in_rank, page_name, render
    from probeta.report.search import explain_search
    from probeta.report.single import define_run, only_run
    from probeta.report.summary import groups_csv, runs_csv, summarise
    from probeta.report.variance import explain_variance, variance_csv
    from probeta.runs.atomic import write_atomic
    from probeta.runs.table import choose_metrics, read_sweep

    Language(lang)
    root = Path(directory).absolute()
    # Before the runs are read: one that ends meanwhile is news to the next reader.
    inputs = _inputs(root, lang) if root.is_dir() else None
    sweep = read_sweep(directory)
    if (single := only_run(sweep)) is not None:
        sweep.definition |= define_run(single)
    choose_metrics(sweep, metrics)
    number = sweep.definition.get("exercise")
    asked = None if number is None else exercise(int(number))
    if asked is not None:
        for run in sweep.runs:
            if run.completed:
                run.metrics |= derived(asked, run)
    summary = summarise(sweep)
    write_atomic(sweep.directory / "summary.csv", runs_csv(summary))
    write_atomic(sweep.directory / "groups.csv", groups_csv(summary))
    if shares := variance_csv(summary):
        write_atomic(sweep.directory / "variance.csv", shares)
    found = [] if asked is not None else pictures(in_rank(summary))
    text, told = "", {"exercise": number}
    for code in (lang,) if asked is None else LANGUAGES:
        language = Language(code, None if asked is None else {**NAMES, **asked.NAMES})
        if asked is None:
            kinds = (
                explain_search, explain_variance, explain_attention, explain_learning, explain_landscape,
                explain_curvature,
            )  # fmt: skip
            answer = next((said for explain in kinds if (said := explain(summary, language))), None)
        else:
            answer = answer_of(asked, summary, language)
        page = render(summary, language, answer, found, others(language) if asked is not None else ())
        write_atomic(sweep.directory / page_name("report", code), page)
        if asked is not None and answer is not None:
            told[code] = digest(summary, answer, language)
        if code == lang:
            text = summary_md(summary, language, answer)
    write_atomic(sweep.directory / "summary.md", text)
    if asked is not None:
        write_atomic(sweep.directory / ANSWER, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    if metrics:
        (root / STAMP).unlink(missing_ok=True)  # the sweep's own report is another
    elif inputs is not None:
        write_atomic(root / STAMP, _stamp(root, inputs))
    return Written(text, sweep.directory / page_name("report", lang))


def write_latex(directory: str | Path, lang: str = "en", metrics: Sequence[str] = ()) -> str:
    """Write the table of variants into `directory` as `table.tex`, for a paper, and return it.

    Raises as `write_report`.
    """
    from probeta.report.language import Language
    from probeta.report.latex import summary_tex
    from probeta.report.summary import summarise
    from probeta.runs.atomic import write_atomic
    from probeta.runs.table import choose_metrics, read_sweep

    language, sweep = Language(lang), read_sweep(directory)
    choose_metrics(sweep, metrics)
    table = summary_tex(summarise(sweep), language)
    write_atomic(sweep.directory / "table.tex", table)
    return table
