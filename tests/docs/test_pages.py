"""Pages that are written by hand name all that there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig

from probeta.config.build import check
from probeta.runs.artifacts import FORMS
from probeta.runs.record import new_record

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def named(page: str) -> set[str]:
    """What stands as code in the first column of the page's tables."""
    rows = [line.split("|")[1] for line in (REFERENCE / page).read_text().splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize(
    "choice", ["data=moons", "experiment=perceptron", "experiment=grammar_small", "experiment=grammar_transformer"]
)
def test_every_metric_that_a_run_reports_is_told(choice: str, configure: Callable[..., DictConfig]) -> None:
    reported = {re.sub("^(train|val|test)/", "", name) for name in check(configure(choice))}
    kinds = {re.sub(r"/\d+$", "/<class>", re.sub(r"_(length|reordering)_.*", r"_\1_<n>", name)) for name in reported}
    assert kinds - named("metrics.md") == set()


def test_every_artifact_and_every_entry_of_a_result_is_told() -> None:
    told = named("run_directory.md")
    assert {name.partition(".")[0] for name in told} >= set(FORMS)
    assert told >= set(new_record("", 0, [], "basic"))


@pytest.mark.parametrize("page", ["README.md", "README.es.md"])
def test_every_room_is_in_the_tree(page: str) -> None:
    rooms = {file.parent.name for file in (ROOT / "src" / "probeta").glob("*/__init__.py")}
    lines = (ROOT / page).read_text().partition("\nsrc/probeta/ ")[2].partition("```")[0].splitlines()
    named = {name.removesuffix("/") for line in lines for name in line.strip().split("   ")[0].split()}
    assert len(rooms) > 15
    assert rooms - named == set()


def test_a_lesson_is_shown_with_what_its_code_gave(tmp_path: Path) -> None:
    jupytext, nbformat = pytest.importorskip("jupytext"), pytest.importorskip("nbformat")
    from docs.pages import choose_notebook

    lesson, executed = tmp_path / "a.py", tmp_path / "a.ipynb"
    lesson.write_text("# %%\nfolder = '../..'\n\n# %% [markdown]\n# New words\n\n# %%\n1 + 1\n")
    notebook = jupytext.read(lesson)
    notebook.cells[0].source = "folder = '../../..'"
    notebook.cells[1].source = "Old words"
    notebook.cells[2].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"})]
    jupytext.write(notebook, executed)
    shown = choose_notebook(lesson, executed)
    assert [cell.source for cell in shown.cells] == ["folder = '../..'", "New words", "1 + 1"]
    assert [output.data for output in shown.cells[2].outputs] == [{"text/plain": "2"}]
    lesson.write_text(lesson.read_text().replace("1 + 1", "1 + 2"))
    assert choose_notebook(lesson, executed).cells[2].outputs == []
