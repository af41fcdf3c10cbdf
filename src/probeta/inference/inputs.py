"""What finished runs are asked about: points, lexicons, lines as they arrive. Read before a model is loaded."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path

from probeta.data.aligned_files import read_lines
from probeta.errors import ConfigError, DataError
from probeta.runs.directory import RunDirectory


def is_table(directory: str) -> bool:
    """Whether the run in `directory` learned from a table, whose columns it keeps."""
    return RunDirectory.existing(directory).artifacts.path("columns").is_file()


def read_points(values: dict[str, str]) -> list[list[float]]:
    """The points asked about; `DataError` names the line that cannot be parsed."""
    if "x" in values:
        try:
            given = [to_point(point) for point in json.loads(values["x"])]
        except (ValueError, TypeError):
            given = []
        if not given:
            raise ConfigError.value("x", values["x"], "points as JSON, x='[[0.1,0.2],[1,0]]'")
        return given
    name = values.get("input", "standard input")
    lines: Iterable[str] = Path(values["input"]).read_text().splitlines() if "input" in values else sys.stdin
    points = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                points.append(to_point(line.replace(";", ",").split(",")))
            except ValueError:
                raise DataError(f"{name}, line {number}: {line.strip()!r} is not numbers separated by commas") from None
    if not points:
        raise DataError(f"{name} holds no points")
    return points


def to_point(numbers: Iterable[str | float]) -> list[float]:
    """Finite numbers; `ValueError` where one is none, or not finite: of such a point a net says nothing."""
    point = [float(n) for n in numbers]
    if not all(map(math.isfinite, point)):
        raise ValueError(point)
    return point


def read_lexicon(path: Path) -> dict[str, str]:
    """Source word → translation, from lines of both with a tab between."""
    lexicon = {}
    for number, line in enumerate(read_lines(path), 1):
        source, tab, target = line.partition("\t")
        if not tab:
            raise DataError(f"{path}, line {number}: a source word, a tab and its translation are expected")
        lexicon[source] = target
    return lexicon


def translate_stream(translator: Callable[[list[str]], list[str]], stream: BufferedReader) -> Iterator[str]:
    """Translations in order, as many lines at a time as have arrived: one at a terminal, many from a full pipe."""
    for lines in read_available_lines(stream):
        yield from translator([line.decode("utf-8", errors="replace").strip() for line in lines])


def read_available_lines(stream: BufferedReader) -> Iterator[list[bytes]]:
    """All whole lines that can be read without waiting for more, again and again; at the end, the unfinished one."""
    rest = b""
    while block := stream.read1(1 << 17):
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]
