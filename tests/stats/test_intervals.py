from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from probeta.stats.intervals import Method, is_skewed, mean_interval, merge_rounding

numbers = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 3))


@given(st.lists(numbers, min_size=2, max_size=30))
def test_the_interval_is_scipy_s_student_t(values: list[float]) -> None:
    found = mean_interval(values)
    assert found is not None
    if len(set(values)) == 1:
        assert (found.method, found.ends, found.low, found.high) == (Method.EQUAL, None, values[0], values[0])
    elif np.std(values) > 1e-6 * np.abs(values).max():
        theirs = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx(theirs, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 20])
def test_it_covers_the_mean_in_95_of_100_samples(n: int) -> None:
    samples, generator = 4000, np.random.default_rng(n)
    found = [mean_interval(x) for x in generator.normal(3.0, 2.0, size=(samples, n))]
    covered = np.mean([i is not None and i.low <= 3.0 <= i.high for i in found])
    assert abs(covered - 0.95) < 0.015


def test_it_is_cut_to_what_the_quantity_can_be() -> None:
    found = mean_interval([0.99, 1.0, 0.98], bounds=(0.0, 1.0))
    assert found is not None
    assert found.high == 1.0
    assert found.low > 0.9


def test_skewed_values_are_resampled_and_the_interval_says_so() -> None:
    values = np.random.default_rng(1).exponential(size=30)
    assert is_skewed(values)
    found, again, plain = (mean_interval(values, bootstrap=asked) for asked in (True, True, False))
    assert found is not None
    assert plain is not None
    assert (found.method, plain.method) == (Method.BCA, Method.T)
    assert found == again
    few = mean_interval(values[:19], bootstrap=True)
    assert few is not None
    assert few.method is Method.T


@pytest.mark.parametrize("n", [20, 57, 400])
@pytest.mark.parametrize("counts", [False, True])
def test_the_bootstrap_is_scipy_s(n: int, counts: bool) -> None:
    values = np.random.default_rng(n).exponential(size=n)
    values = np.round(3 * values) / 240 if counts else values
    found = mean_interval(values, bootstrap=True)
    assert found is not None
    assert found.method is Method.BCA
    same = {"n_resamples": 5000, "method": "BCa", "rng": np.random.default_rng(n)}
    theirs = stats.bootstrap((merge_rounding(values),), np.mean, **same).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_one_value_has_no_interval() -> None:
    assert mean_interval([1.0]) is None
    assert mean_interval([]) is None


def test_rounding_is_merged_and_differences_are_kept() -> None:
    counts = [np.float32(k) / np.float32(240) for k in (233, 233, 232)]
    noisy = [float(c) + e for c, e in zip(counts, (0.0, 3e-8, 0.0), strict=True)]
    merged = merge_rounding(noisy)
    assert merged[0] == merged[1] != merged[2]
    assert merge_rounding([1e-8, 0.5], scale=1.0).tolist() == [0.0, 0.5]


LAWS: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], np.ndarray], float, tuple[float, float]]] = {
    "normal": (lambda g, size: g.normal(size=size), 0.0, (-np.inf, np.inf)),
    "accuracies near 0.97 of 240 points": (lambda g, size: g.binomial(240, 0.97, size) / 240, 0.97, (0.0, 1.0)),
    "accuracies near 0.995 of 240 points": (lambda g, size: g.binomial(240, 0.995, size) / 240, 0.995, (0.0, 1.0)),
    "exponential": (lambda g, size: g.exponential(size=size), 1.0, (0.0, np.inf)),
    "log-normal (σ = 1)": (lambda g, size: g.lognormal(size=size), float(np.exp(0.5)), (0.0, np.inf)),
}


def read_documented_coverage() -> dict[str, dict[int, int]]:
    page = Path(__file__).parents[2] / "docs" / "explanation" / "verdicts.md"
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.read_text().splitlines() if "|" in line
    ]
    head = next(row for row in rows if row[0] == "values")
    return {row[0]: dict(zip(map(int, head[1:]), map(int, row[1:]), strict=True)) for row in rows if row[0] in LAWS}


def test_the_documentation_has_the_coverage_of_every_law() -> None:
    assert set(read_documented_coverage()) == set(LAWS)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [2, 3, 5, 10, 20])
def test_intervals_cover_as_often_as_the_documentation_says(law: str, n: int) -> None:
    """As pages have them: BCa where many values are skewed, none where all are equal."""
    draw, mean, bounds = LAWS[law]
    samples = draw(np.random.default_rng(100 + n), (4000, n))
    found = [i for x in samples if (i := mean_interval(x, bounds=bounds, bootstrap=True)) and i.ends]
    assert abs(100 * np.mean([i.low <= mean <= i.high for i in found]) - read_documented_coverage()[law][n]) < 1.5
