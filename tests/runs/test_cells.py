"""Cells that a spreadsheet would run are text to it, and come back as they were."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probeta.runs.cells import format_table, mark_text, parse_table


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1+1", "-cmd", "@SUM(A1)", "\tx", "\rx", "'=1", "-", "-1-1", "+-inf"]
)
def test_what_looks_like_a_formula_is_marked_as_text(text: str) -> None:
    assert mark_text(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["-0.5", "+3", "-1e-07", ".5", "-inf", "plain", "'quoted'", "a=b", "", -1, -0.5, None]
)
def test_numbers_and_other_text_stay(value: object) -> None:
    assert mark_text(value) == value


@given(st.lists(st.text(alphabet="'=+-@ab1.\t,\"\n", max_size=5), min_size=1, max_size=4))
def test_what_is_read_is_what_was_written_and_no_cell_is_a_formula(cells: list[str]) -> None:
    names = [f"column {i}" for i in range(len(cells))]
    text = format_table([names, cells])
    assert parse_table(text) == [names, cells]
    for cell in next(iter(list(csv.reader(io.StringIO(text, newline="")))[1:])):
        assert cell[:1] not in tuple("=@\t") or not cell
