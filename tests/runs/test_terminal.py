"""Tables in a terminal of any width."""

from __future__ import annotations

import pytest
from rich.table import Table

from probeta.runs.terminal import print_table


@pytest.mark.parametrize("columns", ["10", "40", "200"])
def test_no_terminal_is_too_narrow_for_a_cell(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    names = [f"metric_{i}" for i in range(9)]
    table = Table("", *names)
    table.add_row("test", *(f"0.123{i}" for i in range(9)))
    print_table(table)
    said = capsys.readouterr().out
    assert all(name in said for name in names)
    assert all(f"0.123{i}" in said for i in range(9))
