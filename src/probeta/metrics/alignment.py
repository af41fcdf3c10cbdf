"""Attention scored as word alignment: precision, recall and error rate against gold links.

Weights are `(..., T, S)`: any leading dimensions (layers, heads), a row for each target *word*, a
column for each source *word*. What a decoder gives has more: `word_weights` cuts it to that. numpy
only, so that reports use it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.floating[Any]]
Links = NDArray[np.bool_]
Pairs = Iterable[tuple[int, int]]


def word_weights(weights: Weights, target_words: int, source_words: int, keep_specials: bool = False) -> Weights:
    """A decoder's weights `(..., ≥T+1, ≥S+2)` → `(..., T, S)`, or `(..., T, S + 2)` with `keep_specials`.

    Row `t` of the input is the step that *predicts* target word `t`, and row `T` predicts `<eos>`;
    column 0 is `<bos>`, columns 1 to S the words, column S + 1 `<eos>`; all else is padding. The row
    of `<eos>` and the padding are always cut off. So are the columns of `<bos>` and `<eos>`, unless
    `keep_specials` asks for them, and a row whose largest weight is on one of the two is then zero
    everywhere: the model says that the word has no counterpart, and it gets no link.

    Raises `ValueError` where there are fewer rows or columns than that.
    """
    if weights.shape[-2] < target_words + 1 or weights.shape[-1] < source_words + 2:
        raise ValueError(
            f"weights {weights.shape} for {target_words} target and {source_words} source words: "
            f"at least ({target_words + 1}, {source_words + 2}) are needed, with <bos> and <eos>"
        )
    rows = weights[..., :target_words, : source_words + 2]
    if keep_specials:
        return rows
    best = rows.argmax(axis=-1)
    on_word = (best > 0) & (best < source_words + 1)
    return np.where(on_word[..., None], rows[..., 1:-1], 0.0)


def hard_links(weights: Weights) -> Links:
    """Soft weights `(..., T, S)` → links `(..., T, S)`: each target word to the source word of its largest weight.

    The first of equals counts; a row of zeros links nothing.
    """
    links: Links = np.arange(weights.shape[-1]) == weights.argmax(axis=-1)[..., None]
    return links & np.asarray((weights > 0).any(axis=-1, keepdims=True))


def link_matrix(pairs: Pairs, target_words: int, source_words: int) -> Links:
    """`(source, target)` links, as the data give them, as a matrix `(T, S)`."""
    links = np.zeros((target_words, source_words), dtype=bool)
    for source, target in pairs:
        links[target, source] = True
    return links


@dataclass(frozen=True)
class AlignmentCounts:
    """What alignment scores are made of; counts of sentences (or heads) add up with `+`.

    With A the hypothesis' links, S the sure and P the possible gold links, S ⊆ P (Och & Ney 2003, A
    Systematic Comparison of Various Statistical Alignment Models, equations 22 and 23). Each field has
    the leading dimensions of the weights.
    """

    found: NDArray[np.int64]
    """`|A|`"""
    sure: NDArray[np.int64]
    """`|S|`"""
    found_possible: NDArray[np.int64]
    """`|A ∩ P|`"""
    found_sure: NDArray[np.int64]
    """`|A ∩ S|`"""

    def __add__(self, other: AlignmentCounts) -> AlignmentCounts:
        return AlignmentCounts(
            self.found + other.found,
            self.sure + other.sure,
            self.found_possible + other.found_possible,
            self.found_sure + other.found_sure,
        )

    @property
    def precision(self) -> NDArray[np.float64]:
        """`|A ∩ P| / |A|`; NaN without links."""
        return _ratio(self.found_possible, self.found)

    @property
    def recall(self) -> NDArray[np.float64]:
        """`|A ∩ S| / |S|`; NaN without sure links."""
        return _ratio(self.found_sure, self.sure)

    @property
    def error_rate(self) -> NDArray[np.float64]:
        """`AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|)`: 0 where S ⊆ A ⊆ P."""
        return 1.0 - _ratio(self.found_sure + self.found_possible, self.found + self.sure)


def alignment_counts(links: Links, sure: Links, possible: Links) -> AlignmentCounts:
    """Counts of one sentence: `links (..., T, S)` against gold `sure` and `possible`, `(T, S)`.

    `possible` need not repeat the sure links.
    """
    if sure.shape != links.shape[-2:] or possible.shape != links.shape[-2:]:
        raise ValueError(f"links {links.shape}, gold {sure.shape} and {possible.shape}: not the same sentence")
    possible = possible | sure
    return AlignmentCounts(
        found=links.sum(axis=(-2, -1), dtype=np.int64),
        sure=np.full(links.shape[:-2], sure.sum(), dtype=np.int64),
        found_possible=(links & possible).sum(axis=(-2, -1), dtype=np.int64),
        found_sure=(links & sure).sum(axis=(-2, -1), dtype=np.int64),
    )


class Gold(Protocol):
    """A sentence pair with gold links, as `data.grammar.corpus.Pair`."""

    @property
    def source(self) -> Sequence[str]: ...
    @property
    def target(self) -> Sequence[str]: ...
    @property
    def alignment(self) -> Pairs: ...
    @property
    def sure(self) -> Pairs: ...


def corpus_counts(weights: Iterable[Weights], golds: Iterable[Gold]) -> AlignmentCounts:
    """The sum over sentences of `alignment_counts`: a corpus' AER is computed from summed counts.

    `weights` are a decoder's `(..., ≥T+1, ≥S+2)` for the *reference* target (the gold links are its
    own), all with the same leading dimensions (as layers × heads), which the result has too.
    """
    total: AlignmentCounts | None = None
    for one, gold in zip(weights, golds, strict=True):
        shape = len(gold.target), len(gold.source)
        links = hard_links(word_weights(one, *shape))
        counts = alignment_counts(links, link_matrix(gold.sure, *shape), link_matrix(gold.alignment, *shape))
        total = counts if total is None else total + counts
    if total is None:
        raise ValueError("no sentence to score")
    return total


def _ratio(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(a, b, out=np.full(np.shape(a), np.nan), where=np.asarray(b) > 0)
    return ratio


def agreement(rows: NDArray[np.float64]) -> tuple[float, float, float]:
    """Of words that must change the share that looked at the changed word, of the others the share that did not, and
    the mean of the two: the balanced accuracy of "the attended word decides", ½ at chance.

    `rows (n, 5)` are those of `interventions.counterfactual.follow`.
    """
    must = rows[:, 2] == 1
    looked, away = float(rows[must, 4].mean()), float(1 - rows[~must, 4].mean())
    return looked, away, (looked + away) / 2
