"""Lines of text on disk, found by their number."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

from probeta.runs.atomic import atomic

CHUNK = 8192


class EntryWriter:
    """Writes entries to the file `path` and, on leaving the `with` block, where each begins to the file `starts`."""

    def __init__(self, path: Path, starts: Path) -> None:
        self._file = atomic(path, sync=False)
        self._starts, self._path = array("q", [0]), starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __enter__(self) -> Self:
        self._stream = self._file.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)
        if error is None:
            write_array(self._path, np.frombuffer(self._starts, np.int64))


class LineWriter(EntryWriter):
    """Writes lines to `path`, and where each begins to `path.starts.npy`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Path(f"{path}.starts.npy"))

    def write(self, line: str) -> None:
        self._starts.append(self._starts[-1] + self._stream.write(line.encode("utf-8") + b"\n"))


def write_array(path: Path, values: NDArray[np.int64]) -> None:
    """`values` as NumPy's file `path`."""
    with atomic(path, sync=False) as file:
        np.save(file, values)


class Lines(Sequence[str]):
    """The lines `rows` of what a `LineWriter` wrote (all by default), lowercased where asked.

    Lines are read from the file when they are asked for, and no file stays open or mapped: memory does
    not grow with what has been read.
    """

    def __init__(self, path: Path, rows: NDArray[np.int64] | None = None, lowercase: bool = False) -> None:
        self.lowercase = lowercase
        self._path = path
        self._starts = np.load(f"{path}.starts.npy", mmap_mode="r")
        self._rows = np.arange(len(self._starts) - 1) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), CHUNK):
            yield from self[start : start + CHUNK]

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self._read(self._rows[index])
        return self._read(self._rows[index : index + 1 or None])[0]

    def _read(self, rows: NDArray[np.int64]) -> list[str]:
        starts, ends = self._starts[rows].tolist(), (self._starts[rows + 1] - 1).tolist()
        lines = []
        with self._path.open("rb") as stream:
            for start, end in zip(starts, ends, strict=True):
                # Rows mostly follow each other: then the stream is where it should be but for the line feed.
                stream.seek(start)
                line = stream.read(end - start).decode("utf-8")
                lines.append(line.lower() if self.lowercase else line)
        return lines
