"""From filled slots to sentences: lengths bottom-up, positions top-down, then words and links in place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from probeta.data.grammar.derivation import FRONT_CLAUSE, OBJECT_CLAUSE, SUBJECT_CLAUSE, Clauses
from probeta.data.grammar.draws import Ints
from probeta.data.grammar.realizer import Filled
from probeta.data.grammar.syntax import DE, EMBEDDED, EN, GERMAN_SLOTS, LINKS, ObjectField, Order, german_order

_EN_CHILD = np.array([EN[name] for name in EMBEDDED])
_DE_CHILD = np.array([DE[name] for name in EMBEDDED])
_CLOSING = {SUBJECT_CLAUSE: DE["SUBJECT_COMMA"], OBJECT_CLAUSE: DE["OBJECT_COMMA"], FRONT_CLAUSE: DE["FRONT_COMMA"]}
_LAST = [DE[name] for name in ("COMPLEMENT", "ADVERBIAL", "PERIOD", "SUBJECT_COMMA", "OBJECT_COMMA")]


@cache
def german_orders() -> tuple[Ints, ...]:
    """For each layout the German slots in order."""
    return tuple(
        np.array(german_order(order, field, extraposed))
        for order in Order
        for field in ObjectField
        for extraposed in (False, True)
    )


@dataclass
class Level:
    """All clauses of one depth in a chunk."""

    clauses: Clauses
    filled: Filled
    sentence: Ints
    """`(n,)` the sentence that each clause is in."""
    comma: int
    """The id of the German comma."""

    def __post_init__(self) -> None:
        n = len(self.clauses)
        self.english_widths = (self.filled.english > 0).astype(np.int32)
        self.german_widths = (self.filled.german > 0).astype(np.int32)
        self.english_start: Ints = np.zeros(n, dtype=np.int32)
        self.german_start: Ints = np.zeros(n, dtype=np.int32)
        self.english_position, self.german_position = self.english_widths, self.german_widths
        self.english_length = np.zeros(n, dtype=np.int32)
        self.german_length = np.zeros(n, dtype=np.int32)
        self.groups = [
            (order, np.flatnonzero(self.filled.layout == layout)) for layout, order in enumerate(german_orders())
        ]

    def measure(self, below: Level | None) -> None:
        """Lengths, once those of the embedded clauses are known; commas that close them."""
        if below is not None:
            context = below.clauses.context
            self.english_widths[_EN_CHILD[context.slot], context.parent] = below.english_length
            self.german_widths[_DE_CHILD[context.slot], context.parent] = below.german_length
            self._close()
        self.english_length = self.english_widths.sum(axis=0, dtype=np.int32)
        self.german_length = self.german_widths.sum(axis=0, dtype=np.int32)

    def _close(self) -> None:
        """A comma after a relative clause, unless a comma or the end of the clause follows anyway."""
        for child in (SUBJECT_CLAUSE, OBJECT_CLAUSE):
            has = self.clauses.children[:, child]
            for order, rows in self.groups:
                rows = rows[has[rows]]
                at = int(np.flatnonzero(order == _CLOSING[child])[0])
                following = [slot for slot in order[at + 1 :] if slot not in _LAST]
                needed = rows[(self.german_widths[np.ix_(following, rows)] > 0).any(axis=0)]
                self.filled.german[_CLOSING[child], needed] = self.comma
                self.german_widths[_CLOSING[child], needed] = 1

    def place(self, above: Level | None) -> None:
        """Positions of all slots in the sentence, `(slots, n)`."""
        if above is not None:
            context = self.clauses.context
            self.english_start = above.english_position[_EN_CHILD[context.slot], context.parent]
            self.german_start = above.german_position[_DE_CHILD[context.slot], context.parent]
        ends = np.cumsum(self.english_widths, axis=0, dtype=np.int32)
        self.english_position = ends - self.english_widths + self.english_start
        self.german_position = np.zeros((len(GERMAN_SLOTS), len(self.clauses)), dtype=np.int32)
        for order, rows in self.groups:
            widths = self.german_widths[np.ix_(order, rows)]
            starts = np.cumsum(widths, axis=0, dtype=np.int32) - widths + self.german_start[rows]
            self.german_position[np.ix_(order, rows)] = starts

    def comma_links(self, below: Level) -> tuple[Ints, Ints, Ints, Ints]:
        """The comma that closes a relative clause, to its pronoun and to its last word in English."""
        context = below.clauses.context
        column = np.array([_CLOSING.get(child, DE["PERIOD"]) for child in range(len(EMBEDDED))])[context.slot]
        relative = (context.slot == SUBJECT_CLAUSE) | (context.slot == OBJECT_CLAUSE)
        rows = np.flatnonzero(relative & (self.filled.german[column, context.parent] > 0))
        comma = self.german_position[column[rows], context.parent[rows]]
        pronoun = below.english_position[EN["RELATIVE"], rows]
        last = below.english_start[rows] + below.english_length[rows] - 1
        sentence = np.tile(below.sentence[rows], 2)
        return sentence, np.concatenate([pronoun, last]), np.tile(comma, 2), np.zeros(2 * len(rows), dtype=np.int64)

    def links(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Sentence, English position, German position, sure (0 or 1) of every link within the clauses."""
        english, german = self.filled.english > 0, self.filled.german > 0
        links = []
        for english_name, german_name, sure in LINKS:
            e, d = EN[english_name], DE[german_name]
            rows = np.flatnonzero(english[e] & german[d])
            if len(rows):
                links.append(
                    (
                        self.sentence[rows],
                        self.english_position[e, rows],
                        self.german_position[d, rows],
                        np.full(len(rows), int(sure)),
                    )
                )
        return tuple(np.concatenate(column) for column in zip(*links, strict=True))  # type: ignore[return-value]
