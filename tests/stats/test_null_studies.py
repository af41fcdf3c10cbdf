"""Pages of studies whose variants are all the same: how many say something false, whatever it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.random import Generator

from probeta.stats.comparisons import pair_variants
from probeta.stats.families import Family, compare, compare_failures
from probeta.stats.values import Quantity, Values

Draw = Callable[[Generator, int, int, Quantity], dict[str, Values]]
"""`(noise, variants, seeds, quantity)` → a study in which all variants are the same."""


def normal(noise: Generator, variants: int, seeds: int, quantity: Quantity) -> dict[str, Values]:
    # Seeds are shared: what one of them draws is common to all variants.
    values = noise.normal(size=(variants, seeds)) + noise.normal(size=seeds)
    return {f"v{i}": Values(enumerate(row), (), quantity, i) for i, row in enumerate(values)}


def accuracies(noise: Generator, variants: int, seeds: int, quantity: Quantity) -> dict[str, Values]:
    right = noise.binomial(240, 0.97, size=(variants, seeds)).tolist()
    return {
        f"v{i}": Values({s: Fraction(k, 240) for s, k in enumerate(row)}, (), quantity, i)
        for i, row in enumerate(right)
    }


def failing(noise: Generator, variants: int, seeds: int, quantity: Quantity) -> dict[str, Values]:
    """The worst quarter of the runs fail, whatever the variant."""
    values = noise.normal(size=(variants, seeds)) + 0.5 * noise.normal(size=seeds)
    return {
        f"v{i}": Values({s: v for s, v in enumerate(row) if v > -0.75}, np.flatnonzero(row <= -0.75), quantity, i)
        for i, row in enumerate(values)
    }


def says_something_false(study: list[dict[str, Values]]) -> bool:
    """Whether a page on several quantities calls anything a difference: all pairs of each, and who fails more often."""
    family, first = Family(), study[0]
    failures = [f for a, b in pair_variants(first, None) if (f := compare_failures(a, b, first[a], first[b]))]
    for _ in range(2):
        told = [c.differs for groups in study for c in compare(groups, None, family)]
        told += [c.differs for c in family.correct(failures)]
    return any(told)


def false_pages(draw: Draw, pages: int, quantities: int = 3) -> float:
    noise, false = np.random.default_rng(2026), 0
    for page in range(pages):
        variants, seeds = 3 + page % 6, (2, 3, 5, 10)[page // 6 % 4]
        names = [Quantity(f"q{i}") for i in range(quantities)]
        false += says_something_false([draw(noise, variants, seeds, name) for name in names])
    return false / pages


@pytest.mark.parametrize("draw", [normal, accuracies, failing])
def test_few_pages_of_null_studies_say_something_false(draw: Draw) -> None:
    # 5 % and 2.5 standard errors: corrected quantity by quantity, it would be about 14 %.
    assert false_pages(draw, 120) < 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / 120)


@pytest.mark.slow
@pytest.mark.parametrize("draw", [normal, accuracies, failing])
def test_at_most_five_in_a_hundred_pages_of_null_studies_say_something_false(draw: Draw) -> None:
    assert false_pages(draw, 1000) <= 0.05
