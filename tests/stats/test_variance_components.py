from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from probeta.errors import ConfigError
from probeta.stats.intervals import Method, mean_interval
from probeta.stats.variance_components import arrange, crossed_interval, decompose

Floats = NDArray[np.float64]
NAMES = ("init", "order", "data")
TRUE = {(0,): 1.0, (1,): 0.1, (2,): 2.0, (0, 2): 0.5, (0, 1, 2): 0.4}


def draw(rng: np.random.Generator, shape: tuple[int, ...], variances: Mapping[tuple[int, ...], float]) -> Floats:
    """A study whose components are known: axes → variance."""
    y = np.zeros(shape)
    for axes, variance in variances.items():
        levels = [n if axis in axes else 1 for axis, n in enumerate(shape)]
        y = y + math.sqrt(variance) * rng.standard_normal(levels)
    return y


def table(y: Floats) -> dict[str, Floats]:
    """A column a source and the values, as statsmodels reads them."""
    places = np.indices(y.shape).reshape(y.ndim, -1)
    return {**{NAMES[i]: column for i, column in enumerate(places)}, "y": y.ravel()}


def test_mean_squares_are_those_of_a_linear_model() -> None:
    pd, smf = pytest.importorskip("pandas"), pytest.importorskip("statsmodels.formula.api")
    anova = pytest.importorskip("statsmodels.stats.anova").anova_lm
    shape = (4, 3, 5)
    found = decompose(draw(np.random.default_rng(3), shape, TRUE), NAMES)
    frame = pd.DataFrame(table(draw(np.random.default_rng(3), shape, TRUE)))
    # The largest interaction is what a model without it leaves over.
    twin = anova(smf.ols("y ~ (C(init) + C(order) + C(data)) ** 2", frame).fit())
    for c in found.components:
        row = twin.loc[":".join(f"C({name})" for name in c.sources) if len(c.sources) < 3 else "Residual"]
        assert c.df == row["df"]
        assert c.mean_square == pytest.approx(row["mean_sq"], rel=1e-9)


def test_components_solve_the_expected_mean_squares() -> None:
    shape = dict(zip(NAMES, (4, 3, 5), strict=True))
    found = decompose(draw(np.random.default_rng(4), tuple(shape.values()), TRUE), NAMES).components
    sets = [set(c.sources) for c in found]
    expected = [[math.prod(n for f, n in shape.items() if f not in B) if A <= B else 0 for B in sets] for A in sets]
    solved = np.linalg.solve(np.array(expected, dtype=float), [c.mean_square for c in found])
    np.testing.assert_allclose([c.variance for c in found], solved, rtol=1e-9, atol=1e-12)


def test_estimates_above_zero_are_those_of_restricted_maximum_likelihood() -> None:
    pd, sm = pytest.importorskip("pandas"), pytest.importorskip("statsmodels.api")
    y = draw(np.random.default_rng(5), (7, 6), {(0,): 1.0, (1,): 2.0, (0, 1): 0.5})
    found = {c.sources: c.variance for c in decompose(y, NAMES[:2]).components}
    assert min(found.values()) > 0
    formula = {name: f"0 + C({name})" for name in NAMES[:2]}
    model = sm.MixedLM.from_formula(
        "y ~ 1", vc_formula=formula, re_formula="0", groups=np.ones(y.size), data=pd.DataFrame(table(y))
    )
    twin = model.fit(reml=True)
    assert twin.scale == pytest.approx(found["init", "order"], rel=1e-3)
    assert list(twin.vcomp) == pytest.approx([found["init",], found["order",]], rel=1e-3)


def test_estimates_are_right_on_average() -> None:
    rng, shape = np.random.default_rng(6), (5, 4, 6)
    found = [[c.variance for c in decompose(draw(rng, shape, TRUE), NAMES).components] for _ in range(150)]
    sets = [A for size in (1, 2, 3) for A in combinations(range(3), size)]
    mean, error = np.mean(found, 0), np.std(found, 0, ddof=1) / math.sqrt(len(found))
    assert np.all(np.abs(mean - [TRUE.get(A, 0.0) for A in sets]) < 4 * error)


@pytest.mark.parametrize(
    ("shape", "variances", "points"),
    [
        ((5, 5), {(0,): 1.0, (1,): 2.0, (0, 1): 1.0}, None),
        ((8, 8), {(0, 1): 1.0}, None),
        pytest.param((8, 8, 8), TRUE, None, marks=pytest.mark.slow),
        pytest.param((8, 8, 8), TRUE, 240, marks=pytest.mark.slow),
        pytest.param((8, 4, 8), {(0, 1, 2): 1.0, (2,): 0.3}, None, marks=pytest.mark.slow),
        pytest.param((3, 3), {(0,): 1.0, (1,): 1.0, (0, 1): 1.0}, None, marks=pytest.mark.slow),
    ],
)
def test_intervals_cover_the_true_share(
    shape: tuple[int, ...], variances: Mapping[tuple[int, ...], float], points: int | None
) -> None:
    rng, studies = np.random.default_rng(7), 400
    names, whole = NAMES[: len(shape)], sum(variances.values())
    covered: dict[tuple[str, ...], int] = {}
    for _ in range(studies):
        y = draw(rng, shape, variances)
        if points is not None:  # accuracies: counts of right answers
            y = np.round(points * (0.97 + 0.01 * y / math.sqrt(whole))) / points
        found = decompose(y, names)
        seen = found.share_seen(names[:1])
        shares = {c.sources: c.share for c in found.components} | {("seen",): seen}
        for sources, share in shares.items():
            true = sum(
                v
                for axes, v in variances.items()
                if (0 in axes if sources == ("seen",) else tuple(names[i] for i in axes) == sources)
            )
            covered[sources] = covered.get(sources, 0) + (share.low <= true / whole <= share.high)
    # Four standard errors of 400 draws below 95 %; a share at its bound may be covered always.
    assert min(covered.values()) / studies > 0.91


def test_the_interval_of_the_mean_is_student_s_where_there_is_one_source() -> None:
    values = np.random.default_rng(8).normal(size=6)
    student, crossed = mean_interval(values), crossed_interval(values)
    assert student is not None
    assert (crossed.low, crossed.high) == pytest.approx((student.low, student.high))


def test_the_interval_of_the_mean_covers_it_where_one_that_counts_runs_does_not() -> None:
    rng = np.random.default_rng(9)
    studies = [draw(rng, (5, 5, 5), TRUE) for _ in range(400)]
    crossed = [crossed_interval(y) for y in studies]
    naive = [i for y in studies if (i := mean_interval(y.ravel())) is not None]
    covered = [sum(i.low <= 0.0 <= i.high for i in found) / len(studies) for found in (crossed, naive)]
    assert covered[0] > 0.91
    assert covered[1] < 0.4


def test_a_source_without_effect_is_told_from_one_of_little() -> None:
    y = np.repeat(draw(np.random.default_rng(10), (4, 1, 5), {(0,): 1.0, (2,): 1.0}), 3, axis=1)
    found = decompose(y, NAMES)
    assert found.without_effect == ("order",)
    order = [c for c in found.components if "order" in c.sources]
    assert [c.share.value for c in order] == [0.0] * 4
    assert max(c.share.high for c in order) == 0.0
    assert found.share_seen(["init", "data"]).value == pytest.approx(1.0)


def test_equal_values_have_no_variance() -> None:
    found = decompose(np.full((3, 3), 0.975), NAMES[:2])
    assert found.without_effect == NAMES[:2]
    assert [c.share.value for c in found.components] == [0.0] * 3
    assert crossed_interval(np.full((3, 3), 0.975)).method is Method.EQUAL


def test_an_estimate_below_zero_is_kept_and_its_share_is_zero() -> None:
    y = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    init, _, both = decompose(y, NAMES[:2]).components
    assert init.variance < 0.0
    assert init.share.value == 0.0
    assert both.share.value == 1.0


@pytest.mark.parametrize("y", [np.ones((2, 1)), np.array([[1.0, np.nan], [1.0, 2.0]]), np.ones(4)])
def test_a_design_that_is_not_crossed_is_refused(y: Floats) -> None:
    with pytest.raises(ConfigError, match="two levels or more"):
        decompose(y, NAMES[:2])


def test_runs_that_cross_seeds_are_arranged_and_holes_are_told() -> None:
    values = {(1, i, j): float(10 * i + j) for i in range(3) for j in (4, 5)}
    crossed = arrange(values)
    assert crossed is not None
    assert crossed.axes == (1, 2)
    assert crossed.values.tolist() == [[4.0, 5.0], [14.0, 15.0], [24.0, 25.0]]
    del values[1, 2, 4]
    assert (holed := arrange(values)) is not None
    assert not holed.is_complete
    assert arrange({(i, i): float(i) for i in range(3)}) is None
    assert arrange({(i, 7): float(i) for i in range(3)}) is None
    assert arrange({}) is None
