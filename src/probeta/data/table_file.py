"""Tables as files: CSV, TSV (plain or gzip) and Parquet, refused with file, row and column.

Rows are counted from 1 below the header; blank lines are none.
"""

from __future__ import annotations

import csv
import gzip
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from probeta.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MISSING = ["", "?", "-", "#N/A", "N/A", "NA", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>"]
"""Cells that hold no value; of a class only the empty one, since any word may name a class."""

MOST_TEXTS = 200
"""Different texts of a column, each of which is a feature; and no more than half of the rows."""

FEWEST_IDS = 20
"""Rows from which on a whole number that never repeats is taken for an id rather than for chance."""


def open_text(path: Path) -> TextIO:
    """As UTF-8, without a byte order mark."""
    opened = gzip.open if path.suffix == ".gz" else open
    return opened(path, "rt", encoding="utf-8-sig", newline="")


def find_delimiter(path: Path, header: str) -> str:
    """A tab of `.tsv`, else what cuts the header into most columns: comma, semicolon or tab."""
    if ".tsv" in path.suffixes:
        return "\t"
    return max(",;\t", key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))


@contextmanager
def naming(path: Path, row: Callable[[], int]) -> Iterator[None]:
    """Faults of the file as `DataError`s that say where."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, after row {row()}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    except (csv.Error, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path}, after row {row()}: {error}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def read_rows(path: Path) -> Iterator[list[str]]:
    """The header and each row, as text; `DataError` for a row that is longer or shorter than the header."""
    number = -1
    with naming(path, lambda: max(number, 0)), open_text(path) as stream:
        mark = find_delimiter(path, stream.readline())
        stream.seek(0)
        width = 0
        for row in csv.reader(stream, delimiter=mark, strict=True):
            if not row:
                continue
            number += 1
            width = width or len(row)
            if len(row) != width:
                raise DataError(f"{path}, row {number}: {len(row)} cells, and the header has {width}")
            yield row
    if number < 0:
        raise DataError(f"{path} is empty")


def read_table(path: Path, texts: Collection[str] = (), classes: str | None = None) -> pd.DataFrame:
    """The file's columns: numbers (true and false are 1 and 0) or texts, NaN where a cell is missing.

    Args:
        path: by its ending `.parquet`, `.tsv` or `.csv`, the latter two also with `.gz`.
        texts: columns that are text whatever they look like.
        classes: the column of the classes, text whatever it looks like.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist")
    frame = _read_parquet(path) if path.suffix == ".parquet" else _read_text(path, {*texts, classes} - {None}, classes)
    if not len(frame):
        raise DataError(f"{path} has a header and no rows")
    frame.index = frame.index + 1
    for name in frame.columns:
        there = frame[name].dropna()
        if name in texts or name == classes:
            frame[name] = frame[name].astype("string").astype(object)
        elif frame[name].dtype == object and len(there) and all(isinstance(value, Number) for value in there):
            frame[name] = frame[name].astype(float)  # truth values beside missing ones, decimals
    return frame


def _read_text(path: Path, texts: Collection[Any], classes: str | None) -> pd.DataFrame:
    import pandas as pd

    rows = read_rows(path)
    header = next(rows)
    check_header(path, header)
    for _ in rows:
        pass  # lengths and encoding are refused before pandas guesses
    with open_text(path) as stream:
        mark = find_delimiter(path, stream.readline())
        stream.seek(0)
        missing = {name: [""] if name == classes else MISSING for name in header}
        kinds: Any = {name: object for name in header if name in texts}
        return pd.read_csv(
            stream, sep=mark, dtype=kinds, na_values=missing, keep_default_na=False, low_memory=False, index_col=False,
            float_precision="round_trip",
        )  # fmt: skip


def check_header(path: Path, header: list[str]) -> None:
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DataError(f"{path}: two columns are called {name!r}")
        seen.add(name)
    if "" in seen:
        place = header.index("") + 1
        raise DataError(f"{path}: column {place} has no name (an index? write the table without it)")


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_parquet(path).reset_index(drop=True)
    except ImportError:
        raise DataError(f"{path} is Parquet: pip install 'probeta[parquet]' reads it, or write it as CSV") from None
    except Exception as error:  # pyarrow's own, of several kinds
        raise DataError(f"{path} cannot be read as Parquet: {' '.join(str(error).split())[:160]}") from None
    check_header(path, [str(name) for name in frame.columns])
    frame.columns = pd.Index([str(name) for name in frame.columns])
    return frame


def check_features(path: Path, frame: pd.DataFrame) -> None:
    """`DataError` for a column that no net can learn from: without values, of dates, of as many texts as rows.

    A whole number that is another in every row is warned of: it may number the rows.
    """
    import pandas as pd
    from pandas.api.types import is_datetime64_any_dtype, is_integer_dtype, is_numeric_dtype

    for name in frame.columns:
        values = frame[name]
        where, without = f"{path}, column {name!r}", f"data.drop=[{name}] leaves it out"
        if values.isna().all():
            raise DataError(f"{where}: it has no values; {without}")
        if is_datetime64_any_dtype(values.dtype):
            raise DataError(f"{where}: it holds dates; turn them into numbers, or {without}")
        if is_numeric_dtype(values.dtype):
            if is_integer_dtype(values.dtype) and len(values) >= FEWEST_IDS and values.is_unique:
                log.warning("%s: a different whole number in each of %d rows (an id?); %s", where, len(values), without)
            continue
        if values.map(lambda value: isinstance(value, (list, dict, np.ndarray))).any():
            raise DataError(f"{where}: its cells hold several values; {without}")
        there = values.dropna().astype(str)
        different = there.nunique()
        if different <= min(MOST_TEXTS, max(10, len(there) // 2)):
            continue
        numbers = pd.to_numeric(there, errors="coerce")
        if (share := numbers.notna().mean()) > 0.5:
            row = numbers.index[numbers.isna()][0]
            raise DataError(f"{where}, row {row}: {there[row]!r} is not a number, as {share:.0%} of its cells are")
        raise DataError(f"{where}: {different} different texts in {len(there)} rows (names? dates?); {without}")
