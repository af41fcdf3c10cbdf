"""Alignment error rate and its parts, against sets and plain loops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from probeta.metrics.alignment import (
    AlignmentCounts,
    agreement,
    alignment_counts,
    corpus_counts,
    hard_links,
    link_matrix,
    word_weights,
)


@dataclass
class Gold:
    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: tuple[tuple[int, int], ...]
    sure: tuple[tuple[int, int], ...]


def random_sentence(rng: np.random.Generator) -> tuple[np.ndarray, Gold]:
    """Weights `(heads, T + 3, S + 4)` with padding, and gold links."""
    s, t = rng.integers(1, 6, 2)
    weights = rng.dirichlet(np.ones(s + 4), (3, t + 3))
    sure = {(int(rng.integers(s)), j) for j in range(t) if rng.random() < 0.8}
    possible = sure | {(int(rng.integers(s)), int(rng.integers(t))) for _ in range(3)}
    return weights, Gold(("w",) * s, ("w",) * t, tuple(possible), tuple(sure))


def test_rates_of_a_known_case() -> None:
    # 4 links, 3 sure; 2 of them sure, 3 of them possible: AER = 1 − (2 + 3) / (4 + 3)
    found = {(0, 0), (1, 1), (2, 2), (0, 3)}
    sure, possible = {(0, 0), (1, 1), (3, 3)}, {(2, 2), (2, 1)}
    counts = alignment_counts(*(link_matrix(links, 4, 4) for links in (found, sure, possible)))
    assert counts.error_rate == pytest.approx(1 - 5 / 7)
    assert counts.precision == pytest.approx(3 / 4)
    assert counts.recall == pytest.approx(2 / 3)


def test_perfect_is_zero_and_a_hypothesis_between_sure_and_possible_is_perfect() -> None:
    def error_rate(*links: set[tuple[int, int]]) -> float:
        return float(alignment_counts(*(link_matrix(pairs, 2, 2) for pairs in links)).error_rate)

    sure, possible = {(0, 0)}, {(0, 0), (1, 0)}
    assert error_rate(sure, sure, possible) == 0
    assert error_rate(possible, sure, possible) == 0
    assert error_rate({(1, 1)}, sure, possible) == 1
    assert np.isnan(error_rate(set(), set(), set()))


def test_corpus_scores_are_those_of_a_loop_over_sentences_heads_and_words() -> None:
    rng = np.random.default_rng(0)
    weights, golds = zip(*(random_sentence(rng) for _ in range(40)), strict=True)
    counts = corpus_counts(weights, golds)
    for head in range(3):
        a = s = both_p = both_s = 0
        for one, gold in zip(weights, golds, strict=True):
            n = len(gold.source)
            links = set()
            for j in range(len(gold.target)):
                best = max(range(n + 2), key=lambda i, row=one[head, j]: row[i])
                if 1 <= best <= n:
                    links.add((best - 1, j))
            a, s = a + len(links), s + len(set(gold.sure))
            both_p += len(links & set(gold.alignment))
            both_s += len(links & set(gold.sure))
        assert counts.error_rate[head] == pytest.approx(1 - (both_p + both_s) / (a + s))
        assert counts.precision[head] == pytest.approx(both_p / a)
        assert counts.recall[head] == pytest.approx(both_s / s)


def test_counts_of_sentences_add_up() -> None:
    rng = np.random.default_rng(1)
    (w1, g1), (w2, g2) = random_sentence(rng), random_sentence(rng)
    joint, parts = corpus_counts([w1, w2], [g1, g2]), corpus_counts([w1], [g1]) + corpus_counts([w2], [g2])
    for name in AlignmentCounts.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(joint, name), getattr(parts, name))


WEIGHTS = np.array(
    [  # <bos>, two words, <eos>, padding
        [0.1, 0.6, 0.2, 0.1, 0.0],
        [0.5, 0.1, 0.3, 0.1, 0.0],
        [0.0, 0.2, 0.3, 0.5, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0],  # the step that predicts <eos>
        [0.9, 0.1, 0.0, 0.0, 0.0],  # padding
    ]
)


def test_the_eos_row_and_padding_are_cut_and_words_on_bos_or_eos_are_unlinked() -> None:
    cut = word_weights(WEIGHTS, 3, 2)
    np.testing.assert_array_equal(cut, [[0.6, 0.2], [0, 0], [0, 0]])
    np.testing.assert_array_equal(hard_links(cut), [[True, False], [False, False], [False, False]])


def test_or_their_columns_are_kept() -> None:
    np.testing.assert_array_equal(word_weights(WEIGHTS, 3, 2, keep_specials=True), WEIGHTS[:3, :4])


def test_a_word_links_its_largest_weight_the_first_of_equals_and_a_row_of_zeros_nothing() -> None:
    weights = np.array([[0.4, 0.35, 0.25], [0.4, 0.4, 0.2], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(hard_links(weights), [[True, False, False], [True, False, False], [False] * 3])


def test_weights_without_bos_and_eos_are_refused() -> None:
    with pytest.raises(ValueError, match="with <bos> and <eos>"):
        word_weights(np.ones((3, 2)), 3, 2)


def test_gold_of_another_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match="not the same sentence"):
        alignment_counts(np.ones((2, 3), bool), np.ones((3, 2), bool), np.ones((3, 2), bool))


def test_agreement_is_the_balanced_accuracy_of_the_attended_word() -> None:
    rows = np.array([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0], [0, 2, 0, 1, 0], [0, 3, 0, 1, 0], [1, 1, 0, 1, 1]], dtype=float)
    assert agreement(rows) == pytest.approx((1 / 2, 2 / 3, 7 / 12))
