"""Tables as CSV text that a spreadsheet shows as it was written, and runs no part of."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet takes for a formula (OWASP, CSV injection), and the same with apostrophes before it."""
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-](inf|nan)", re.IGNORECASE)


def mark_text(value: Any) -> Any:
    """Text that would be taken for a formula gets the apostrophe that says it is text; `unmark_text` takes it away."""
    marked = isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value)
    return f"'{value}" if marked else value


def unmark_text(text: str) -> str:
    """What `mark_text` was given."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def format_table(rows: Iterable[Sequence[Any]]) -> str:
    """`rows`, the first of which names the columns, as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([mark_text(value) for value in row] for row in rows)
    return text.getvalue()


def parse_table(text: str) -> list[list[str]]:
    """The rows of `format_table`'s text, the first of which names the columns. Raises `csv.Error`."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [[unmark_text(cell) for cell in row] for row in rows] if "'" in text else [*rows]
