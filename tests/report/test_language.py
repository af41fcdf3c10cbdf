"""What pages say in other languages: everything, with the same placeholders, and numbers as the language has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from probeta.errors import ConfigError
from probeta.report import explained_tables, variance
from probeta.report.answer import Verdict
from probeta.report.by_size import SCORES, SIZES
from probeta.report.figure_words import WORDS
from probeta.report.language import LANGUAGES, NAMES, Language, catalogue
from probeta.sweeps.jobs import Action
from probeta.sweeps.question import phrase

SOURCE = Path(str(files("probeta")))
OTHERS = [code for code in LANGUAGES if code != "en"]
STATES = ("completed", "failed", "interrupted", "running", "not started", "not finished", "damaged")
PLACEHOLDER = re.compile(r"{(\w+)[^}]*}")

Message = str | tuple[str, str]


def in_code() -> Iterator[tuple[str, Message]]:
    """Every literal that `say` and `count` are called with."""
    for folder in ("commands", "report", "exercises", "sweeps", "vectorized"):
        for file in sorted((SOURCE / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    literals = [leaf.value for arg in node.args[:2] for leaf in choices(arg)]
                    if name == "count" and len(literals) == 2:
                        yield file.name, (literals[0], literals[1])
                    elif name in ("say", "phrase", "tell"):
                        yield from ((file.name, literal) for literal in literals)


def choices(node: ast.expr) -> list[Any]:
    """The literals that an argument may be: itself, or those of `a if … else b`."""
    if isinstance(node, ast.IfExp):
        return [*choices(node.body), *choices(node.orelse)]
    return [node] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def in_templates() -> Iterator[tuple[str, Message]]:
    for file in sorted((SOURCE / "report" / "templates").glob("*.html")):
        for _, message, _, _ in extract(
            "jinja2.ext:babel_extract", BytesIO(file.read_bytes()), {"say": None, "_": None}
        ):
            yield file.name, message


def in_tables() -> Iterator[tuple[str, Message]]:
    """What is looked up by key: `NAMES = {…}` and its like, in capitals, in the exercises."""
    for file in sorted((SOURCE / "exercises").glob("exercise_*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                for value in node.value.values:
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        yield file.name, value.value
    yield from (("language.py", name) for name in NAMES.values())
    yield from (("figure_words.py", words) for words in WORDS)
    yield from (("answer.py", verdict.value) for verdict in Verdict)
    yield from (("runs.py", state) for state in STATES)
    yield from (("variance.py", text) for text in (*variance.NAMES.values(), *variance.ABSENT.values()))
    losses = {key: heading for key, (heading, _) in explained_tables.LOSSES.items()}
    tables = (
        explained_tables.EXPLANATIONS,
        explained_tables.LINKS,
        explained_tables.INTERVENTIONS,
        explained_tables.CHANGES,
        explained_tables.HEADS,
        losses,
    )
    yield from (("explained_tables.py", text) for table in tables for text in table.values())
    yield from (("by_size.py", name) for name in (*SCORES.values(), *SIZES.values()))
    yield from (("jobs.py", action.value) for action in Action if action is not Action.RUN)
    yield "metrics.py", "not a number"
    yield "runs.py", "all"


def in_studies() -> Iterator[tuple[str, Message]]:
    folder = Path(str(files("probeta.conf"))) / "study"
    for file in sorted(folder.glob("*.yaml")):
        whole: dict[str, Any] = yaml.safe_load(file.read_text())
        bases = [folder / f"{base}.yaml" for base in whole["defaults"] if isinstance(base, str) and base != "_self_"]
        study: dict[str, Any] = {}
        for part in (*(yaml.safe_load(base.read_text()) for base in bases), whole):
            study |= part["study"]
        texts = [
            study.get("title") or study["name"],
            study["question"],
            *(study.get("notes") or ()),
            *(study.get("variants") or ()),
        ]
        yield from ((file.name, text) for text in texts)


def wanted() -> dict[Message, str]:
    return {message: place for place, message in [*in_code(), *in_templates(), *in_tables(), *in_studies()] if message}


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_has_a_translation(code: str) -> None:
    known = {message.id: message.string for message in catalogue(code)}
    lacking = [f"{place}: {message!r}" for message, place in wanted().items() if not known.get(message)]
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("code", OTHERS)
def test_no_translation_is_left_over(code: str) -> None:
    asked = wanted()
    assert [message.id for message in catalogue(code) if message.id and message.id not in asked] == []


@pytest.mark.parametrize("code", OTHERS)
def test_translations_keep_their_placeholders(code: str) -> None:
    for message in catalogue(code):
        originals = message.id if isinstance(message.id, tuple) else (message.id,)
        translated = message.string if isinstance(message.string, tuple) else (message.string,)
        names = {frozenset(PLACEHOLDER.findall(text)) for text in (*originals, *translated)}
        assert len(names) == 1, (message.id, message.string)


@pytest.mark.parametrize("code", OTHERS)
def test_no_message_is_translated_in_two_ways(code: str) -> None:
    seen: dict[Any, Any] = {}
    for file in (files("probeta.report") / "languages" / code).iterdir():
        for message in read_po(BytesIO(file.read_bytes())):
            if message.id:
                assert seen.setdefault(message.id, message.string) == message.string


def test_numbers_intervals_and_lists_are_the_language_s_own() -> None:
    english, spanish = Language("en"), Language("es")
    assert [english.number(0.12345), spanish.number(0.12345)] == ["0.1235", "0,1235"]
    assert spanish.signed(0.5) == "+0,5"
    assert spanish.interval((0.25, 1.5)) == "0,25 a 1,5"
    assert [english.p(0.0004), spanish.p(0.0004), spanish.p(0.04)] == ["p < 0.001", "p < 0,001", "p = 0,04"]
    assert [english.list("abc"), spanish.list("abc")] == ["a, b, and c", "a, b y c"]
    assert spanish.number(None) == "no es un número"
    assert spanish.count("{n} seed", "{n} seeds", 1) == "1 semilla"
    assert spanish.count("{n} seed", "{n} seeds", 5) == "5 semillas"


def test_what_has_no_translation_stays_as_it_is() -> None:
    assert Language("es").metric("test/some_metric") == "test/some_metric"
    assert Language("es").say("{not a placeholder}") == "{not a placeholder}"
    assert Language("es").say("") == ""


def test_a_language_without_a_catalogue_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"lang 'xx': accepted: en, es"):
        Language("xx")


def test_what_is_composed_is_put_together_in_the_readers_language() -> None:
    asked = phrase("best trial {n}: {point} ({metric} {value})", n=3, point="lr=0.1 {x}", metric="val/loss", value=0.25)
    assert Language("en").tell(asked) == "best trial 3: lr=0.1 {x} (val/loss 0.25)"
    assert Language("es").tell(asked) == "mejor ensayo, el 3: lr=0.1 {x} (val/loss 0,25)"
    assert Language("es").tell("epoch") == "época"
    assert Language("es").tell({"text": "of a {damaged} file", "parts": {}}) == "of a {damaged} file"
