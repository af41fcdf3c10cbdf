"""Lines of text on disk, read one at a time through a memory map."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import overload

import numpy as np
from numpy.typing import NDArray


class LineWriter:
    """Writes lines to `path` and, on leaving the `with` block, where each begins to `path.starts.npy`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = path.open("wb")
        self._starts = array("q", [0])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def write(self, line: str) -> None:
        self._starts.append(self._starts[-1] + self._stream.write(line.encode("utf-8") + b"\n"))

    def __enter__(self) -> LineWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        if error is None:
            np.save(f"{self.path}.starts.npy", np.frombuffer(self._starts, np.int64))


class Lines(Sequence[str]):
    """The lines `rows` of what a `LineWriter` wrote (all by default), lowercased where asked."""

    def __init__(self, path: Path, rows: NDArray[np.int64] | None = None, lowercase: bool = False) -> None:
        self.lowercase = lowercase
        self._starts = np.load(f"{path}.starts.npy", mmap_mode="r")
        # An empty file cannot be mapped.
        self._bytes = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
        self._rows = np.arange(len(self._starts) - 1) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._line(int(row)) for row in self._rows[index]]
        return self._line(int(self._rows[index]))

    def _line(self, row: int) -> str:
        line = self._bytes[self._starts[row] : self._starts[row + 1] - 1].tobytes().decode("utf-8")
        return line.lower() if self.lowercase else line
