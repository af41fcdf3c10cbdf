"""What is printed for a reader: text as it is, never markup, at a terminal or into a file."""

from __future__ import annotations

from typing import Any

from rich.console import Console


def plain_console(**options: Any) -> Console:
    """A console that prints `[/i]`, `[red]` and `:smile:` as they stand: words of a corpus, names of folders."""
    return Console(markup=False, emoji=False, **options)
