from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from probeta.stats.comparisons import Withheld, holm
from probeta.stats.families import Family, compare, compare_failures
from probeta.stats.values import Quantity, Values


def samples(names: str, quantity: str, n: int = 6) -> dict[str, Values]:
    drawn = {name: random.Random(f"{name}{quantity}") for name in names}
    return {
        name: Values({s: noise.gauss(0, 1) for s in range(n)}, (), Quantity(quantity), name)
        for name, noise in drawn.items()
    }


def test_holm_is_over_all_that_a_page_asks_and_each_comparison_counts_once() -> None:
    family, first, second = Family(), samples("abc", "loss"), samples("abc", "accuracy")
    compare(first, None, family)
    compare(second, None, family)
    # The same pairs again, the other way round and against a reference.
    again = [compare(dict(reversed(first.items())), "a", family), compare(first, None, family)]
    p = [c.p or 0.0 for groups in (first, second) for c in compare(groups)]
    expected = holm(p)
    assert len(family) == 6
    assert {c.family for c in again[1]} == {6}
    assert [c.p_holm for c in again[1]] == pytest.approx(expected[:3])
    assert {(c.b, c.a): c.p_holm for c in again[0]}.items() <= {(c.a, c.b): c.p_holm for c in again[1]}.items() | {
        (c.b, c.a): c.p_holm for c in again[1]
    }.items()


def test_variants_with_the_same_values_are_still_several_comparisons() -> None:
    family = Family()
    groups = {name: Values({1: 1.0, 2: 1.0}, (), Quantity("acc"), name) for name in "abcd"}
    assert {c.p_holm for c in compare(groups, None, family)} == {1.0}
    assert len(family) == 6


@given(st.lists(st.sampled_from("ab-"), min_size=1, max_size=12))
def test_failures_are_compared_by_the_exact_sign_test(who: list[str]) -> None:
    a, b = (
        Values({s: 1.0 for s, w in enumerate(who) if w != name}, [s for s, w in enumerate(who) if w == name])
        for name in "ab"
    )
    found, one = compare_failures("a", "b", a, b), who.count("a") + who.count("b")
    if one == 0:
        assert found is None
        return
    assert found is not None
    assert (found.only, found.seeds) == ((who.count("a"), who.count("b")), len(who))
    assert found.p == pytest.approx(stats.binomtest(who.count("a"), one).pvalue)


def test_a_study_that_stopped_by_looking_gets_no_other_tests() -> None:
    for c in compare(samples("abc", "loss"), None, Family(stopped=True)):
        assert (c.p, c.p_holm, c.withheld) == (None, None, Withheld.STOPPED)


def test_failures_of_runs_that_cross_seeds_are_not_compared_as_independent() -> None:
    cells = [(seed, data) for seed in range(4) for data in range(4)]
    broken = Values({c: 1.0 for c in cells if c[0]}, [c for c in cells if not c[0]])
    assert compare_failures("broken", "whole", broken, Values(dict.fromkeys(cells, 1.0))) is None
