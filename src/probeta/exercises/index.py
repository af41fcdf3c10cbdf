"""`index.html`: every exercise that has run, its question, what was found, and the way to its page."""

from __future__ import annotations

import logging
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from probeta.report.answer import Answer, Verdict
from probeta.report.language import LANGUAGES, Language
from probeta.report.page import as_json, page_name, render_template, words
from probeta.report.summary import Summary, states
from probeta.runs.atomic import write_atomic
from probeta.runs.reading import Damaged, check_kinds, read_json

log = logging.getLogger(__name__)

ANSWER = "answer.json"
"""Beside an exercise's page: what the index says of it."""


def others(language: Language) -> list[tuple[str, str]]:
    """Address and name of the pages beside an exercise's: in the other languages, and the index of all."""
    pages = [(page_name("report", code), name) for code, name in LANGUAGES.items() if code != language.code]
    return [*pages, (f"../{page_name('index', language.code)}", language.say("All exercises"))]


def digest(summary: Summary, answer: Answer, language: Language) -> dict[str, Any]:
    """What the index says of an exercise, in one language."""
    definition = summary.sweep.definition
    title, question = str(definition["title"]), str(definition["question"])
    verdicts = Counter(claim.verdict.value for claim in answer.claims)
    return {
        "title": language.say(title),
        "question": language.say(question),
        "sentence": answer.sentences[0] if answer.sentences else "",
        "states": states(summary.sweep.runs, language),
        "verdicts": {verdict.value: verdicts[verdict.value] for verdict in Verdict if verdicts[verdict.value]},
    }


def write_index(root: Path) -> Path:
    """Write the index of the exercises under `root` in every language; returns the English page."""
    found = []
    for file in sorted(root.glob(f"*/{ANSWER}")):
        try:
            told = check_kinds(file, read_json(file, dict) or {}, {"exercise": int, **dict.fromkeys(LANGUAGES, dict)})
            if missing := {"exercise", *LANGUAGES} - told.keys():
                raise Damaged(file, f"it has no {min(missing)}")
        except Damaged as damage:
            log.warning("%s; the index is without it until probeta report %s", damage, shlex.quote(str(file.parent)))
            continue
        found.append((told["exercise"], file.parent.name, told))
    root.mkdir(parents=True, exist_ok=True)
    for code in LANGUAGES:
        language = Language(code)
        entries = [
            {**told[code], "address": f"{folder}/{page_name('report', code)}"} for _, folder, told in sorted(found)
        ]
        others = [(page_name("index", other), name) for other, name in LANGUAGES.items() if other != code]
        data = as_json({"words": words(language), "charts": []})
        page = render_template("index.html", language, ["report.js"], entries=entries, others=others, data=data)
        write_atomic(root / page_name("index", code), page)
    return root / page_name("index", "en")
