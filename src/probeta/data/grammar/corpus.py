"""Sentence pairs with their gold alignments, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from probeta.data.grammar.draws import Ints


@dataclass(frozen=True)
class Pair:
    """One sentence pair. Links are `(source position, target position)`, from 0, without `<bos>`."""

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: tuple[tuple[int, int], ...]
    """Sure and possible links: Och & Ney's *P*, which contains *S*."""
    sure: tuple[tuple[int, int], ...]
    """The sure links alone: *S*."""


@dataclass(frozen=True)
class GrammarCorpus:
    """`N` pairs. Sentences are padded with 0, the id of no word."""

    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    source: Ints
    """`(N, S)` ids into `source_words`."""
    target: Ints
    """`(N, T)` ids into `target_words`."""
    source_lengths: Ints
    target_lengths: Ints
    links: Ints
    """`(M, 3)`: source position, target position, 1 if sure and 0 if only possible; pair after pair."""
    link_offsets: Ints
    """`(N + 1,)`: the links of pair `i` are `links[link_offsets[i]:link_offsets[i + 1]]`."""
    clauses: Ints
    """`(C, 2)`: verb and construction of every clause, as indices into the lexicon; pair after pair."""
    clause_offsets: Ints
    depths: Ints
    """`(N,)` how deep clauses are nested: 0 for a main clause alone."""

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, i: int) -> Pair:
        links = sorted(self.links[self.link_offsets[i] : self.link_offsets[i + 1]].tolist())
        return Pair(
            tuple(self.source_words[w] for w in self.source[i, : self.source_lengths[i]]),
            tuple(self.target_words[w] for w in self.target[i, : self.target_lengths[i]]),
            tuple((s, t) for s, t, _ in links),
            tuple((s, t) for s, t, sure in links if sure),
        )

    def __iter__(self) -> Iterator[Pair]:
        return (self[i] for i in range(len(self)))

    def select(self, rows: Ints) -> GrammarCorpus:
        """The pairs `rows`, in that order."""
        link_rows, link_offsets = _ragged_rows(self.link_offsets, rows)
        clause_rows, clause_offsets = _ragged_rows(self.clause_offsets, rows)
        return replace(
            self,
            source=self.source[rows],
            target=self.target[rows],
            source_lengths=self.source_lengths[rows],
            target_lengths=self.target_lengths[rows],
            links=self.links[link_rows],
            link_offsets=link_offsets,
            clauses=self.clauses[clause_rows],
            clause_offsets=clause_offsets,
            depths=self.depths[rows],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[GrammarCorpus]) -> GrammarCorpus:
        """All pairs of `parts`, which have the same words."""
        return replace(
            parts[0],
            source=_stack([part.source for part in parts]),
            target=_stack([part.target for part in parts]),
            source_lengths=np.concatenate([part.source_lengths for part in parts]),
            target_lengths=np.concatenate([part.target_lengths for part in parts]),
            links=np.concatenate([part.links for part in parts]),
            link_offsets=_join_offsets([part.link_offsets for part in parts]),
            clauses=np.concatenate([part.clauses for part in parts]),
            clause_offsets=_join_offsets([part.clause_offsets for part in parts]),
            depths=np.concatenate([part.depths for part in parts]),
        )

    def any_clause(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """`flags (C,)` → `(N,)`: whether any clause of the pair is flagged."""
        counts = np.concatenate([[0], np.cumsum(flags)])
        return counts[self.clause_offsets[1:]] > counts[self.clause_offsets[:-1]]

    def reordering(self) -> Ints:
        """`(N,)` the longest jump on the source between neighbouring target words.

        With `a(t)` the first sure source position of target word `t` (words without one are left out),
        the largest `|a(t) − a(t − 1) − 1|` (the distortion of Koehn et al. 2003, section 2.2): 0 where each
        target word goes on right behind the one before. Source words without a sure link (`of`, `does`)
        count as skipped, so that the same order may have 1.
        """
        sure = np.flatnonzero(self.links[:, 2] == 1)
        pair = (np.repeat(np.arange(len(self)), np.diff(self.link_offsets)))[sure]
        source, target = self.links[sure, 0].astype(np.int64), self.links[sure, 1].astype(np.int64)
        order = np.lexsort((source, target, pair))
        pair, source, target = pair[order], source[order], target[order]
        first = np.ones(len(pair), dtype=bool)
        first[1:] = (pair[1:] != pair[:-1]) | (target[1:] != target[:-1])
        pair, source = pair[first], source[first]
        jumps = np.abs(np.diff(source) - 1)
        jumps[pair[1:] != pair[:-1]] = 0
        distance = np.zeros(len(self), dtype=np.int64)
        np.maximum.at(distance, pair[1:], jumps)
        return distance


def _ragged_rows(offsets: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """The rows of a ragged array that belong to the pairs `rows`, and their new offsets."""
    counts = offsets[rows + 1] - offsets[rows]
    new = np.concatenate([[0], np.cumsum(counts)])
    return np.repeat(offsets[rows] - new[:-1], counts) + np.arange(new[-1]), new


def _join_offsets(parts: Sequence[Ints]) -> Ints:
    return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(part) for part in parts]))])


def _stack(parts: Sequence[Ints]) -> Ints:
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])
