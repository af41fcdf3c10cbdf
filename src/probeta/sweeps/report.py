"""The last act of a sweep: its tables and its page, and an exercise's answer."""

from __future__ import annotations

import json
from pathlib import Path

from probeta.report.page import Written


def write_report(directory: str | Path, lang: str = "en") -> Written:
    """Write `summary.csv`, `groups.csv`, `summary.md` and `report.html` into `directory`.

    Where runs cross several seeds, `variance.csv` has the shares of the variance. In another language than English the
    page is `report.<lang>.html`. An exercise's page has an answer in words, and is written in every language.
    Raises `RunDirectoryError` where there are no runs, `ConfigError` for a language without a catalogue, `OSError`
    where it cannot be written.
    """
    from probeta.exercises import answer as answer_of
    from probeta.exercises import derived, exercise
    from probeta.exercises.index import ANSWER, digest, others, page_name
    from probeta.report.gallery import pictures
    from probeta.report.language import LANGUAGES, NAMES, Language
    from probeta.report.markdown import summary_md
    from probeta.report.page import render
    from probeta.report.summary import groups_csv, ranked, runs_csv, summarise
    from probeta.report.variance import explain_variance, variance_csv
    from probeta.runs.atomic import write_atomic
    from probeta.runs.table import read_sweep

    Language(lang)
    sweep = read_sweep(directory)
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
    found = [] if asked is not None else pictures([run for group in ranked(summary) for run in group.runs])
    text, told = "", {"exercise": number}
    for code in (lang,) if asked is None else LANGUAGES:
        language = Language(code, None if asked is None else {**NAMES, **asked.NAMES})
        answer = explain_variance(summary, language) if asked is None else answer_of(asked, summary, language)
        page = render(summary, language, answer, found, others(language) if asked is not None else ())
        write_atomic(sweep.directory / page_name("report", code), page)
        if asked is not None and answer is not None:
            told[code] = digest(summary, answer, language)
        if code == lang:
            text = summary_md(summary, language, answer)
    write_atomic(sweep.directory / "summary.md", text)
    if asked is not None:
        write_atomic(sweep.directory / ANSWER, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return Written(text, sweep.directory / page_name("report", lang))
