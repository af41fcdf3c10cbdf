"""Which lines are held out of training, as a function of their content and a seed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

MOST = 2000
"""Different lines in a held-out part at most: enough to tell models apart."""


VERSION = 2
"""Raised when the same lines would be held out differently."""


def normalize(line: str) -> str:
    """What two lines have in common that differ in case and white space only."""
    return " ".join(line.casefold().split())


def split_off(lines: Iterable[str], parts: int, share: float, seed: int) -> list[NDArray[np.int64]]:
    """Row numbers of `[rest, part 1, …, part n]`, each part `share` of the different lines.

    A line's place follows from a hash of (seed, line): lines that are equal but for case and white space, which
    tokenizers may take away, never lie on both sides, and the order of the lines does not matter.
    `ValueError` where too few lines differ.
    """
    salt = f"{seed}\n".encode()
    hashes = array("Q")
    for line in lines:
        hashes.append(int.from_bytes(blake2b(salt + normalize(line).encode(), digest_size=8).digest(), "little"))
    values, place = np.unique(np.frombuffer(hashes, np.uint64), return_inverse=True)
    size = max(1, round(min(share * len(values), MOST)))
    if len(values) <= size * parts:
        raise ValueError(f"{len(values)} different lines are too few")
    part = np.minimum(place // size, parts)
    return [np.flatnonzero(part == number) for number in (parts, *range(parts))]
