"""Entropy, coverage and path labels, on constructed matrices and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy

from probeta.metrics.attention_shape import coverage, entropy, path


def attending(*positions: int, source: int = 12) -> np.ndarray:
    """Each target word looks mostly at one source position."""
    weights = np.full((len(positions), source), 0.01)
    weights[np.arange(len(positions)), positions] = 1.0
    return weights


@pytest.mark.parametrize(
    ("positions", "labels"),
    [
        ((0, 1, 2, 3, 4), {"diagonal"}),
        ((0, 2, 3, 4, 6), {"diagonal"}),  # over a word that the other language lacks
        ((3,), {"diagonal"}),
        ((0, 1, 7, 2, 3, 4, 5, 6), {"diagonal", "jumps"}),  # a verb fetched from the end
        ((5, 0, 4, 1), {"jumps"}),
        ((0, 1, 1, 2, 3, 4), {"diagonal"}),  # two on one word are normal
        ((0, 1, 1, 1, 2, 3, 4), {"diagonal", "repetitions"}),
        ((0, 4, 4, 4, 4), {"jumps", "repetitions"}),
        ((2, 2, 2), {"repetitions"}),
        ((4, 3, 2, 1), {"jumps"}),
        ((0, 1, 2, 3, 3, 3), {"diagonal", "repetitions"}),  # 3 of 5 steps
        ((0, 1, 2, 2, 2), {"repetitions"}),  # 2 of 4
        ((0, 3, 6, 7, 8), {"jumps"}),  # 3 is a jump: 2 of 4
    ],
)
def test_labels_of_constructed_paths(positions: tuple[int, ...], labels: set[str]) -> None:
    assert set(path(attending(*positions)).labels) == labels


def test_shares_of_a_path_and_its_longest_repetition() -> None:
    found = path(attending(0, 1, 1, 1, 6, 7))
    assert (found.diagonal, found.jump, found.repetition) == pytest.approx((2 / 5, 1 / 5, 2 / 5))
    assert found.longest_repetition == 3


def test_words_without_a_link_are_passed_over() -> None:
    weights = attending(0, 5, 1, 2)
    weights[1] = 0
    assert path(weights).labels == ("diagonal",)
    assert path(np.zeros((2, 3))).labels == ()


def test_entropy_is_scipy_s_for_every_row_head_and_layer() -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(5), (2, 3, 4))
    np.testing.assert_allclose(entropy(weights), scipy_entropy(weights, axis=-1))
    assert entropy(np.eye(3)).tolist() == [0, 0, 0]
    assert entropy(np.ones((2, 1))).tolist() == [0, 0]


def test_coverage_is_the_attention_that_each_source_word_gets() -> None:
    weights = np.array([[0.7, 0.3, 0.0], [0.2, 0.2, 0.6]])
    np.testing.assert_allclose(coverage(weights), [0.9, 0.5, 0.6])
    assert coverage(np.stack([weights, weights])).shape == (2, 3)
