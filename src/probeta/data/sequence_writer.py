"""Ragged rows of ids, appended to a file and read back through a memory map."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probeta.data.line_store import EntryWriter
from probeta.data.pairs import Sequences
from probeta.runs.atomic import atomic

CHUNK = 1 << 22


class SequenceWriter(EntryWriter):
    """Writes `<name>.ids` (raw, of one dtype) and `<name>.offsets.npy`."""

    def __init__(self, folder: Path, name: str, dtype: str) -> None:
        super().__init__(folder / f"{name}.ids", folder / f"{name}.offsets.npy")
        self._dtype = np.dtype(dtype)

    def write(self, rows: Sequence[Sequence[int]]) -> None:
        count = 0
        for row in rows:
            count += len(row)
            self._starts.append(self._starts[-1] + len(row))
        self._stream.write(np.fromiter(chain.from_iterable(rows), self._dtype, count=count).tobytes())


def open_sequences(folder: Path, name: str, dtype: str) -> Sequences:
    """What a `SequenceWriter` wrote, memory-mapped."""
    path = folder / f"{name}.ids"
    ids = np.memmap(path, dtype, "r") if path.stat().st_size else np.empty(0, dtype)
    return Sequences(ids, np.load(folder / f"{name}.offsets.npy", mmap_mode="r"))


def count_ids(folder: Path, name: str, dtype: str, size: int) -> NDArray[np.int64]:
    """How often each id below `size` occurs, `(size,)`, read in chunks."""
    counts = np.zeros(size, np.int64)
    ids = open_sequences(folder, name, dtype).ids
    for start in range(0, len(ids), CHUNK):
        counts += np.bincount(ids[start : start + CHUNK], minlength=size)
    return counts


def translate_ids(folder: Path, name: str, dtype: str, table: NDArray[np.integer]) -> None:
    """Replace every id `i` of `<name>.ids` by `table[i]`; the file takes the table's dtype."""
    path = folder / f"{name}.ids"
    ids = open_sequences(folder, name, dtype).ids
    with atomic(path, sync=False) as stream:
        for start in range(0, len(ids), CHUNK):
            stream.write(table[ids[start : start + CHUNK]].tobytes())
