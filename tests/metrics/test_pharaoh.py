"""Links as text, and two directions joined, against nltk and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from nltk.translate import Alignment, alignment_error_rate

from probeta.errors import DataError
from probeta.metrics.alignment import alignment_counts, link_matrix
from probeta.metrics.pharaoh import format_links, parse_links, symmetrise


def test_links_are_written_and_read_again() -> None:
    sure, possible = parse_links("0-1 2?0 1-1", 2, 3, "gold, line 1")
    assert format_links(sure) == "0-1 1-1"
    assert format_links(possible) == "0-1 1-1 2-0"


@pytest.mark.parametrize(
    ("line", "told"), [("0-1 x", "'x' is no link"), ("0-2", "the source has 3, the target 2"), ("3-0", "3-0 names")]
)
def test_what_is_no_link_is_refused(line: str, told: str) -> None:
    with pytest.raises(DataError, match=f"gold, line 4: .*{told}"):
        parse_links(line, 2, 3, "gold, line 4")


def test_error_rates_are_nltks() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        links, sure, possible = (rng.random((4, 5)) < p for p in (0.3, 0.2, 0.2))
        sure[0, 0] = links[1, 1] = True
        counts = alignment_counts(links, sure, possible)
        texts = [format_links(part) for part in (sure, links, sure | possible)]
        reference, hypothesis, allowed = (Alignment.fromstring(text) for text in texts)
        assert float(counts.error_rate) == pytest.approx(alignment_error_rate(reference, hypothesis, allowed))


def grow_diag_final_and(e2f: set[tuple[int, int]], f2e: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Moses' pseudocode, over every cell."""
    around = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    links, union = e2f & f2e, e2f | f2e

    def aligned(side: int, word: int) -> bool:
        return any(link[side] == word for link in links)

    before = -1
    while before < len(links):
        before = len(links)
        for cell in sorted(links):
            for step in around:
                new = cell[0] + step[0], cell[1] + step[1]
                if new in union and not (aligned(0, new[0]) and aligned(1, new[1])):
                    links = links | {new}
    for direction in (e2f, f2e):
        for new in sorted(direction):
            if not aligned(0, new[0]) and not aligned(1, new[1]):
                links = links | {new}
    return links


def test_two_directions_are_joined_as_moses_joins_them() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        one, other = (rng.random((5, 6)) < 0.25 for _ in range(2))
        sets = [{(int(t), int(s)) for t, s in np.argwhere(part)} for part in (one, other)]
        expected = link_matrix([(s, t) for t, s in grow_diag_final_and(sets[0], sets[1])], 5, 6)
        assert np.array_equal(symmetrise(one, other, "grow-diag-final-and"), expected)
        assert np.array_equal(symmetrise(one, other, "intersection"), one & other)


def test_a_link_beside_the_intersection_joins_it_and_one_between_linked_words_does_not() -> None:
    forward = link_matrix([(0, 0), (1, 1), (2, 1)], 3, 3)
    backward = link_matrix([(0, 0), (1, 1), (0, 1)], 3, 3)
    assert format_links(symmetrise(forward, backward, "grow-diag-final-and")) == "0-0 1-1 2-1"
