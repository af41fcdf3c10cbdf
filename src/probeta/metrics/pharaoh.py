"""Word alignments as text: a line of links `i-j` a sentence, source word i with target word j, both from 0 (Pharaoh).

In a gold file `i?j` is a link that is possible but not sure (Och & Ney 2003).
"""

from __future__ import annotations

import re

import numpy as np

from probeta.errors import DataError
from probeta.metrics.alignment import Links, link_matrix

LINK = re.compile(r"(\d+)([-?])(\d+)")
SYMMETRISATIONS = ("intersection", "grow-diag-final-and")


def format_links(links: Links) -> str:
    """`(T, S)` → `i-j …`, in the order of source words."""
    return " ".join(f"{source}-{target}" for source, target in np.argwhere(links.T))


def parse_links(line: str, target_words: int, source_words: int, place: str) -> tuple[Links, Links]:
    """A line of links → the sure and the possible ones, `(T, S)` each.

    Raises `DataError` with `place` for what is no link, and for one to a word that is not there.
    """
    found: dict[str, list[tuple[int, int]]] = {"-": [], "?": []}
    for word in line.split():
        match = LINK.fullmatch(word)
        if match is None:
            raise DataError(f"{place}: {word!r} is no link: i-j (sure) or i?j (possible), words counted from 0")
        pair = int(match[1]), int(match[3])
        if pair[0] >= source_words or pair[1] >= target_words:
            raise DataError(
                f"{place}: {word} names a word that is not there: the source has {source_words}, "
                f"the target {target_words}, counted from 0"
            )
        found[match[2]].append(pair)
    sure, possible = (link_matrix(pairs, target_words, source_words) for pairs in found.values())
    return sure, sure | possible


def symmetrise(forward: Links, backward: Links, method: str) -> Links:
    """The links `(T, S)` of two directions as one (Koehn, Och & Marcu 2003).

    `intersection`, or `grow-diag-final-and`: that, grown by links of either direction beside it (diagonals too) as long
    as one of their words has none yet; then links of forward and of backward between words that have none at all.
    Words are visited by target, then source, as Moses does. (nltk's function of that name joins words that have links
    already.)
    """
    joint: Links = forward & backward
    if method == "intersection":
        return joint
    either, grown = forward | backward, True
    while grown:
        grown = False
        for target, source in np.argwhere(joint):
            for row, column in _neighbours(target, source, joint.shape):
                free = not joint[row].any() or not joint[:, column].any()
                if either[row, column] and not joint[row, column] and free:
                    joint[row, column] = grown = True
    for direction in (forward, backward):
        for target, source in np.argwhere(direction):
            if not joint[target].any() and not joint[:, source].any():
                joint[target, source] = True
    return joint


def _neighbours(target: int, source: int, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Sides first, then diagonals, in Moses' order, where they are within `shape`."""
    steps = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
    near = ((target + a, source + b) for a, b in steps)
    return [(row, column) for row, column in near if 0 <= row < shape[0] and 0 <= column < shape[1]]
