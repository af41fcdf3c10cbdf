"""What is printed for a reader: text as it is, never markup, at a terminal or into a file."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def plain_console(**options: Any) -> Console:
    """A console that prints `[/i]`, `[red]` and `:smile:` as they stand: words of a corpus, names of folders."""
    # A kernel has a text stream too: rich would show the same again as HTML, whatever its `file`.
    return Console(markup=False, emoji=False, force_jupyter=False, **options)


def print_table(table: Table) -> None:
    """`table`, at least as wide as its longest words: a narrow terminal breaks its lines, and empties no cell."""
    console = plain_console()
    console.width = max(console.width, console.measure(table, options=console.options.update(width=10**4)).minimum)
    console.print(table)
