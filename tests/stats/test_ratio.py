from __future__ import annotations

import numpy as np
import pytest

from probeta.stats.ratio import ratio_of_means, ratio_p


def draw(rng: np.random.Generator, seeds: int, sentences: int) -> tuple[np.ndarray, np.ndarray]:
    """Two quantities of means 0.3 and 0.5 that vary by seed, by sentence and by both."""
    by_seed, by_sentence = rng.normal(0, 0.05, (2, seeds, 1)), rng.normal(0, 0.2, (2, 1, sentences))
    values = by_seed + by_sentence + rng.normal(0, 0.1, (2, seeds, sentences))
    return values[0] + 0.3, values[1] + 0.5


def test_the_interval_covers_the_ratio_over_new_seeds_and_new_sentences() -> None:
    """Student's t of the ratios of each seed, on the same sentences, covers far less."""
    rng, covered, naive, n = np.random.default_rng(0), 0, 0, 300
    for _ in range(n):
        found = ratio_of_means(*(pair := draw(rng, 5, 40)))
        assert found.interval is not None
        covered += found.interval.low <= 0.6 <= found.interval.high
        own = pair[0].mean(1) / pair[1].mean(1)
        naive += abs(own.mean() - 0.6) <= 2.776 * own.std(ddof=1) / np.sqrt(5)
    assert 0.92 <= covered / n <= 0.995
    assert naive / n < covered / n - 0.05


def test_the_interval_ends_where_the_test_turns() -> None:
    pair = draw(np.random.default_rng(4), 5, 40)
    found = ratio_of_means(*pair)
    assert found.interval is not None
    for end in (found.interval.low, found.interval.high):
        assert ratio_p(*pair, end) == pytest.approx(0.05, abs=1e-4)
    assert ratio_p(*pair, found.value) == pytest.approx(1)


def test_there_is_no_interval_of_one_seed_or_over_nothing() -> None:
    above, below = draw(np.random.default_rng(1), 5, 40)
    assert ratio_of_means(above[:1], below[:1]).interval is None
    assert ratio_p(above[:1], below[:1], 0.5) is None
    assert ratio_of_means(above, below - below.mean() + 1e-4).interval is None
