from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from probeta.stats.comparisons import compare, holm, paired_p
from probeta.stats.intervals import bootstrap_interval

numbers = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 3))


def test_the_bootstrap_interval_is_that_of_scipy() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, 40)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=1).confidence_interval
    ours = bootstrap_interval(list(values))
    assert ours is not None
    assert ours[0] == pytest.approx(theirs.low, abs=0.05)
    assert ours[1] == pytest.approx(theirs.high, abs=0.05)


def test_the_bootstrap_interval_of_three_values_is_that_of_all_resamples() -> None:
    values = [1.0, 2.0, 4.0]
    means = sorted(sum(pick) / 3 for pick in itertools.product(values, repeat=3))
    ours = bootstrap_interval(values)
    assert ours is not None
    assert ours == pytest.approx(np.quantile(means, [0.025, 0.975], method="inverted_cdf"))


@given(st.lists(numbers, min_size=2, max_size=9))
@example([683.664] * 3)  # whose mean is rounded up
def test_the_interval_lies_within_the_values_and_around_their_mean(values: list[float]) -> None:
    interval = bootstrap_interval(values)
    assert interval is not None
    assert min(values) <= interval[0] <= interval[1] <= max(values)


def test_one_value_has_no_interval_and_no_test() -> None:
    assert bootstrap_interval([1.0]) is None
    assert paired_p([1.0]) is None


@given(st.lists(st.tuples(numbers, numbers), min_size=2, max_size=12))
def test_the_paired_test_is_scipy_s(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    differences = [x - y for x, y in pairs]
    if np.std(differences) < 1e-6 * (abs(np.mean(differences)) + 1e-9):
        return
    assert paired_p(differences) == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-6, abs=1e-12)


def test_equal_differences_are_tested_by_their_signs() -> None:
    assert paired_p([0.0] * 5) == 1.0
    flips = list(itertools.product((-1, 1), repeat=5))
    extreme = sum(abs(sum(flip)) >= 5 for flip in flips) / len(flips)
    assert paired_p([0.25] * 5) == extreme


def reference_holm(p: list[float]) -> list[float]:
    """Reject one after the other, as the paper says it, for every level in turn."""
    adjusted = []
    for i in range(len(p)):
        levels = sorted({min(1.0, (len(p) - r) * x) for r, x in enumerate(sorted(p))})
        adjusted.append(next((q for q in levels if i in rejected(p, q)), 1.0))
    return adjusted


def rejected(p: list[float], level: float) -> set[int]:
    found: set[int] = set()
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if min(1.0, (len(p) - rank) * p[i]) > level:
            break
        found.add(i)
    return found


def test_holm_s_correction_is_its_definition() -> None:
    generator = random.Random(5)
    for _ in range(50):
        p = [generator.random() ** 3 for _ in range(generator.randint(1, 6))]
        assert holm(p) == pytest.approx(reference_holm(p))
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_variants_are_compared_over_shared_seeds_only() -> None:
    groups = {"a": {1: 1.0, 2: 2.0, 3: 3.5}, "b": {2: 1.0, 3: 2.0, 4: 9.0}, "c": {9: 0.0}}
    [found] = compare(groups)
    assert (found.a, found.b, found.seeds) == ("b", "a", 2)
    assert found.difference == pytest.approx(-1.25)
    assert found.p == pytest.approx(stats.ttest_rel([1.0, 2.0], [2.0, 3.5]).pvalue)


def test_a_reference_is_compared_with_each_of_the_others() -> None:
    groups = {name: {seed: random.Random(f"{name}{seed}").random() for seed in range(5)} for name in "abcd"}
    assert [(c.a, c.b) for c in compare(groups, "c")] == [("a", "c"), ("b", "c"), ("d", "c")]
    assert len(compare(groups)) == 6
    assert [c.p_holm for c in compare(groups)] == pytest.approx(holm([c.p or 0 for c in compare(groups)]))


def test_noise_is_rarely_called_a_difference() -> None:
    generator = np.random.default_rng(11)
    calls = 0
    for _ in range(400):
        groups = {name: dict(enumerate(generator.normal(size=5))) for name in "abc"}
        calls += any(c.differs for c in compare(groups))
    # 5 % in expectation; the bound is 4 standard deviations above it.
    assert calls / 400 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 400)
