"""The lessons run, and say in both languages what the same code shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from probeta.exercises import commands

LESSONS = Path(__file__).parent.parent / "lessons"
NAMES = sorted(path.name for path in (LESSONS / "en").glob("*.py"))
QUICK = {("en", "03"), ("es", "06")}


def cells(path: Path) -> list[str]:
    """The code cells of a file in Jupytext's percent format."""
    parts = re.split(r"(?m)^# %%", path.read_text())[1:]
    return [part.strip() for part in parts if not part.startswith(" [markdown]")]


def run_cell(source: str, names: dict[str, object]) -> None:
    """As a notebook does: the value of a last expression is shown."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        for form in ("_repr_html_", "_repr_png_", "__repr__"):
            if hasattr(value, form):
                getattr(value, form)()


def test_each_lesson_is_in_both_languages() -> None:
    assert NAMES
    assert sorted(path.name for path in (LESSONS / "es").glob("*.py")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_hold_the_same_code(name: str) -> None:
    ours, theirs = cells(LESSONS / "en" / name), cells(LESSONS / "es" / name)
    assert 'lang = "en"' in ours[0]
    assert [ours[0].replace('lang = "en"', 'lang = "es"'), *ours[1:]] == theirs


@pytest.mark.parametrize("lang", ["en", "es"])
def test_every_exercise_ends_a_lesson(lang: str) -> None:
    told = [int(n) for name in NAMES for n in re.findall(r"exercise\((\d+)", (LESSONS / lang / name).read_text())]
    assert sorted(told) == sorted(commands())


@pytest.mark.parametrize(
    ("lang", "name"),
    [
        pytest.param(lang, name, marks=[] if (lang, name[:2]) in QUICK else pytest.mark.slow)
        for lang in ("en", "es")
        for name in NAMES
    ],
)
def test_a_lesson_runs(lang: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for source in cells(LESSONS / lang / name):
        run_cell(source, names)
