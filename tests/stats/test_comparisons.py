from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from probeta.stats.comparisons import Withheld, compare_pair, holm, paired_p, signed_rank_p
from probeta.stats.families import compare
from probeta.stats.values import Quantity, Values

numbers = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 3))


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


def float32(right: int, total: int = 240) -> float:
    """As a quotient of two float32 numbers."""
    return float(np.float32(right) / np.float32(total))


def test_one_test_point_more_at_each_seed_is_a_tie_of_differences() -> None:
    a, b = ({seed: float32(k - less) for seed, k in enumerate((233, 230, 236))} for less in (0, 1))
    [found] = compare({"b": b, "a": a})
    assert (found.p, found.differs) == (0.25, False)
    assert found.interval is not None
    assert found.interval.ends is None


def test_test_and_interval_agree() -> None:
    generator = np.random.default_rng(2)
    for n in (2, 3, 5, 10):
        for _ in range(100):
            a, b = generator.normal(1.0, 1.0, size=n), generator.normal(size=n)
            [c] = compare({"b": dict(enumerate(b)), "a": dict(enumerate(a))})
            assert c.p is not None
            assert c.interval is not None
            assert (c.p < 0.05) == (c.interval.low > 0 or c.interval.high < 0)


@pytest.mark.parametrize("points", [48, 240])
@pytest.mark.parametrize(("seeds", "variants"), [(2, 3), (3, 8), (5, 4), (10, 5)])
def test_equal_accuracies_rarely_differ(points: int, seeds: int, variants: int) -> None:
    generator, calls, studies = np.random.default_rng(0), 0, 300
    for _ in range(studies):
        right = generator.binomial(points, 0.97, size=(variants, seeds))
        groups = {f"v{i}": {s: float32(int(k), points) for s, k in enumerate(row)} for i, row in enumerate(right)}
        calls += any(c.differs for c in compare(groups))
    # 5 % in expectation; the bound is 4 standard deviations above it.
    assert calls / studies < 0.05 + 4 * math.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize("n", [5, 10, 20])
def test_a_variant_whose_poor_runs_fail_is_not_called_better(n: int) -> None:
    generator, calls, studies = np.random.default_rng(0), 0, 600
    for _ in range(studies):
        a, b = 0.9 + 0.03 * generator.normal(size=(2, n))
        kept = {i: v for i, v in enumerate(a) if v > 0.88}
        [c] = compare({"b": dict(enumerate(b)), "a": Values(kept, set(range(n)) - set(kept))})
        calls += c.differs and (c.sign > 0) == (c.a == "a")
    assert calls / studies < 0.025 + 4 * math.sqrt(0.025 * 0.975 / studies)


def test_a_failed_run_is_the_worst_whichever_way_is_better() -> None:
    for up in (True, False):
        whole = Values({seed: 0.5 + seed / 100 for seed in range(8)}, quantity=Quantity(up=up))
        broken = Values({7: 0.6}, range(7), Quantity(up=up))
        [c] = compare({"whole": whole, "broken": broken})
        assert (c.a, c.failed, c.ranked, c.interval) == ("broken", (7, 0), True, None)
        assert c.sign == (-1 if up else 1)


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
def test_signed_ranks_are_all_sign_flips(differences: list[int]) -> None:
    d = np.array([x for x in differences if x], dtype=float)
    ranks = stats.rankdata(np.abs(d)) if len(d) else d
    sums = [
        abs(sum(r * f for r, f in zip(ranks, flip, strict=True))) for flip in itertools.product((-1, 1), repeat=len(d))
    ]
    seen = abs((ranks * np.sign(d)).sum())
    assert signed_rank_p(differences)[0] == pytest.approx(np.mean(np.array(sums) >= seen - 1e-9))


def test_holm_is_that_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    generator = np.random.default_rng(4)
    for _ in range(50):
        p = list(generator.random(generator.integers(1, 9)) ** 2)
        assert holm(p) == pytest.approx(list(multitest.multipletests(p, method="holm")[1]))


def test_a_difference_too_small_to_tell_has_no_verdict() -> None:
    for size, differs in ((0.0005, False), (0.002, True)):
        above = Values({s: 0.9 + size * (1 + s / 100) for s in range(8)}, (), Quantity("acc", least=0.001))
        [c] = compare({"below": dict.fromkeys(range(8), 0.9), "above": above})
        assert c.p is not None
        assert c.p < 0.001
        assert (c.differs, c.only_alone) == (differs, not differs)


def test_failed_runs_have_no_rank_where_neither_end_is_worse() -> None:
    a = Values({s: float(s) for s in range(8)}, (), Quantity(up=None))
    b = Values({s: 10.0 + s * s for s in range(4)}, range(4, 8), Quantity(up=None))
    c = compare_pair("a", "b", a, b)
    assert c is not None
    assert (c.withheld, c.p, c.differs, c.failed) == (Withheld.FAILED, None, False, (0, 4))


def draw_crossed(rng: np.random.Generator, shift: float = 0.0) -> dict[tuple[int, int], float]:
    """5 seeds × 5 data seeds, whose values share what each brings."""
    values = shift + rng.normal(size=(5, 1)) + rng.normal(size=(1, 5)) + rng.normal(size=(5, 5))
    return {(i, j): float(values[i, j]) for i in range(5) for j in range(5)}


def test_runs_that_cross_seeds_are_no_independent_pairs() -> None:
    rng, studies = np.random.default_rng(20), 400
    alarms = [0, 0]
    for _ in range(studies):
        a, b = draw_crossed(rng), draw_crossed(rng)
        found = compare_pair("a", "b", a, b)
        assert found is not None
        assert found.p is not None
        assert found.interval is not None
        assert (found.p < 0.05) == (not found.interval.low <= 0.0 <= found.interval.high)
        independent = paired_p([a[key] - b[key] for key in a])
        alarms[0] += found.p < 0.05
        alarms[1] += independent is not None and independent < 0.05
    assert alarms[0] / studies <= 0.05
    assert alarms[1] / studies > 0.2


def test_a_crossing_with_holes_is_not_tested() -> None:
    rng = np.random.default_rng(21)
    a, b = draw_crossed(rng), draw_crossed(rng)
    del a[0, 0]
    for left in (a, Values(a, failed=[(0, 0)])):
        found = compare_pair("a", "b", left, b)
        assert found is not None
        assert (found.p, found.withheld) == (None, Withheld.CROSSED)


def test_seeds_that_vary_together_are_independent_pairs() -> None:
    rng = np.random.default_rng(22)
    a, b = ({(i, i): float(v) for i, v in enumerate(rng.normal(size=6))} for _ in range(2))
    found = compare_pair("a", "b", a, b)
    assert found is not None
    assert found.p == paired_p([a[key] - b[key] for key in a])
