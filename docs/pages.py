"""The pages that repeat what is said elsewhere already: lessons, commands, keys. The repository keeps none of them."""

from __future__ import annotations

import io
from contextlib import redirect_stdout, suppress
from pathlib import Path

import jupytext
from nbformat import NotebookNode, read

from probeta.cli import COMMANDS, main


def write(docs: Path) -> None:
    root = docs.parent
    for lesson in sorted(root.glob("lessons/??/*.py")):
        name = f"{lesson.parent.name}/{lesson.stem}.ipynb"
        notebook = choose_notebook(lesson, root / "outputs" / "lessons" / name)
        jupytext.write(notebook, put(docs / "lessons" / name))
    put(docs / "reference" / "commands.md").write_text(commands())


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def choose_notebook(lesson: Path, executed: Path) -> NotebookNode:
    """The lesson with what `make lessons` saw, where that was the same code; without outputs otherwise."""
    plain = jupytext.read(lesson)
    if executed.is_file():
        shown = read(executed, as_version=4)
        if [cell.source for cell in shown.cells] == [cell.source for cell in plain.cells]:
            return shown
    return plain


def commands() -> str:
    """What each command says of itself."""
    text = "# Commands\n"
    for name, (summary, _) in COMMANDS.items():
        said = io.StringIO()
        with redirect_stdout(said), suppress(SystemExit):
            main([name, "--help"])
        text += f"\n## {name}\n\n{summary}\n\n```text\n{said.getvalue().partition('== Config ==')[0].strip()}\n```\n"
    return text
