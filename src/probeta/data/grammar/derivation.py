"""What a sentence says before it has words: clauses and noun phrases as tables, one row each.

A chunk of sentences is one pair of tables for each depth of embedding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from probeta.data.grammar.draws import Ints

Flags = NDArray[np.bool_]

NO_GAP, SUBJECT, OBJECT, RECIPIENT, PLACE = -1, 0, 1, 2, 3
"""Roles, and what a relative pronoun stands for."""
FRONT_CLAUSE, SUBJECT_CLAUSE, OBJECT_CLAUSE, COMPLEMENT, ADVERBIAL = range(5)
"""Indices into `syntax.EMBEDDED`."""


@dataclass
class Context:
    """What is known of `n` clauses before they are drawn; each array is `(n,)`."""

    parent: Ints
    """Row of the parent clause in the level above."""
    slot: Ints
    """Index into `EMBEDDED`, −1 for a main clause."""
    conjunction: Ints
    """1 + index into the conjunctions, 0 for none."""
    gap: Ints
    """The role that a relative pronoun stands for, or `NO_GAP`."""
    head: Ints
    """The relative pronoun's noun."""
    head_plural: Ints
    past: Ints
    """1 or 0: the parent's; −1 for any."""
    construction: Ints
    """One that the conjunction demands, else −1."""

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def main(cls, n: int) -> Context:
        zero, minus = np.zeros(n, dtype=np.int64), np.full(n, -1)
        return cls(zero, minus, zero, np.full(n, NO_GAP), zero, zero, minus, minus)


@dataclass
class Clauses:
    """One clause per row; each array is `(n,)`, `children` is `(n, 5)` over `EMBEDDED`."""

    context: Context
    verb: Ints
    construction: Ints
    negated: Flags
    person: Ints
    order: Ints
    predicate: Ints
    """Adjective of a copula; −1 for none, and so on below."""
    time: Ints
    frequency: Ints
    front_adverb: Ints
    """A sentence adverb, or `len(SENTENCE_ADVERBS)` plus an adverb of time."""
    children: Flags

    def __len__(self) -> int:
        return len(self.verb)


@dataclass
class Phrases:
    """One noun phrase per row; each array is `(m,)`."""

    clause: Ints
    role: Ints
    noun: Ints
    plural: Ints
    article: Ints
    adjective: Ints
    owner: Ints
    owner_plural: Ints
    owner_article: Ints
    pronoun: Ints
    preposition: Ints
    case: Ints
    kein: Flags
    """The negation is in the article."""
    restricted: Flags
    """A relative clause follows."""

    def select(self, rows: Ints) -> Phrases:
        return Phrases(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @staticmethod
    def concatenate(parts: list[Phrases]) -> Phrases:
        return Phrases(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Phrases)})
