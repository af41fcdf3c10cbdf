from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import curve_fit

from probeta.stats.power_law import fit_power_law

SIZES = [20, 45, 90, 180, 360, 720]


@pytest.mark.parametrize(("floor", "factor", "exponent"), [(0.0, 2.0, 0.5), (0.05, 3.0, 1.0), (0.3, 40.0, 2.5)])
def test_an_exact_power_law_is_found(floor: float, factor: float, exponent: float) -> None:
    curve = {n: floor + factor * n**-exponent for n in SIZES}
    law = fit_power_law({0: curve, 1: curve, 2: curve})
    assert law is not None
    assert (law.floor, law.factor, law.exponent) == pytest.approx((floor, factor, exponent), rel=1e-3, abs=1e-5)
    assert law.interval is not None
    assert law.interval.high - law.interval.low < 1e-6
    assert law(SIZES) == pytest.approx(list(curve.values()))


def test_it_is_the_fit_of_relative_errors_by_another_algorithm() -> None:
    rng = np.random.default_rng(2)
    curves = {seed: {n: (0.04 + 2 * n**-0.7) * float(np.exp(rng.normal(0, 0.05))) for n in SIZES} for seed in range(4)}
    y = np.array([[curve[n] for n in SIZES] for curve in curves.values()]).mean(axis=0)
    law = fit_power_law(curves)
    found, _ = curve_fit(
        lambda n, a, b, c: a + b * n**-c, SIZES, y, p0=(0.1, 1.0, 0.5), sigma=y, bounds=(0, np.inf), xtol=1e-12
    )
    assert law is not None
    assert (law.floor, law.factor, law.exponent) == pytest.approx(tuple(found), rel=2e-3)


def test_the_interval_covers_the_exponent() -> None:
    rng, covered, studies = np.random.default_rng(1), 0, 60
    for _ in range(studies):
        noise = np.exp(rng.normal(0, 0.05, (5, len(SIZES))))
        curves = {s: {n: (0.02 + n**-0.5) * noise[s, i] for i, n in enumerate(SIZES)} for s in range(5)}
        law = fit_power_law(curves)
        assert law is not None
        assert law.interval is not None
        covered += law.interval.low <= 0.5 <= law.interval.high
    assert covered >= stats.binom.ppf(0.001, studies, 0.93)


def test_what_does_not_fall_or_has_few_sizes_is_not_fitted() -> None:
    assert fit_power_law({}) is None
    assert fit_power_law({0: dict(zip(SIZES, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], strict=True))}) is None
    assert fit_power_law({0: {20: 0.5, 45: 0.4, 90: 0.3}}) is None
    assert fit_power_law({0: dict(zip(SIZES, [0.1, 0.05, 0.01, 0.0, 0.0, 0.0], strict=True))}) is None
    assert fit_power_law({0: {n: n**-0.5 for n in SIZES}, 1: {20: 0.3}}) is None
    alone = fit_power_law({0: {n: n**-0.5 for n in SIZES}})
    assert alone is not None
    assert alone.interval is None
    falling = {n: n**-0.5 for n in SIZES}
    of_one = fit_power_law({0: falling, 1: dict.fromkeys(SIZES, 0.5)})
    assert of_one is not None
    assert of_one.interval is None
