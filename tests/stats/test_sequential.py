"""The e-process against its mixture integrated numerically; what stopping at will costs, by simulation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import nct, norm, t

from probeta.stats.sequential import (
    EQUIVALENT,
    LARGER,
    OPEN,
    SMALLER,
    anytime_p,
    confidence_sequence,
    decide,
    e_values,
    forecast,
    schedule_looks,
    settle,
    sign_e_values,
)


def integrated(d: np.ndarray, variance: float) -> float:
    """The likelihood ratio of the t statistic's law, mixed over effects N(0, τ²): no closed form is used."""
    n = len(d)
    statistic = d.mean() / (d.std(ddof=1) / math.sqrt(n))
    null = t.pdf(statistic, n - 1)

    def integrand(effect: float) -> float:
        alternative = nct.pdf(statistic, n - 1, effect * math.sqrt(n))
        return float(alternative / null * norm.pdf(effect, scale=math.sqrt(variance)))

    value, _ = quad(integrand, -8, 8, limit=400, points=[0.0, float(d.mean() / d.std())])
    return float(value)


@pytest.mark.parametrize(("n", "shift"), [(3, 0.0), (5, 0.4), (8, 1.0), (12, -0.7)])
@pytest.mark.parametrize("variance", [0.25, 1.0])
def test_the_closed_form_is_the_integrated_mixture(n: int, shift: float, variance: float) -> None:
    d = np.random.default_rng(n).normal(shift, 1.0, n)
    assert e_values(d, variance)[-1] == pytest.approx(integrated(d, variance), rel=1e-5)


@pytest.mark.parametrize(
    ("variance", "theirs"),
    [
        (
            1.0,
            [
                0.666173387526,
                0.954113342994,
                1.619517935363,
                2.368766002375,
                1.316688049766,
                2.359416274308,
                3.807611404956,
            ],
        ),
        (
            0.25,
            [
                0.87481776528,
                1.056442818411,
                1.429030621028,
                1.860519811173,
                1.430762189309,
                2.148631818753,
                3.080639498907,
            ],
        ),
    ],
)
def test_the_evidence_is_that_of_a_package_of_anytime_valid_tests(variance: float, theirs: list[float]) -> None:
    """`log_bf` of savvi 0.3.1 (Lindon et al. 2024, arXiv 2210.08589) of t², n - 1, 1 / τ², n, for n from 2 on."""
    d = [0.3, -0.1, 0.5, 0.4, 0.9, -0.2, 0.6, 0.35]
    np.testing.assert_allclose(e_values(d, variance)[1:], theirs, rtol=1e-10)


def test_scale_and_sign_do_not_matter() -> None:
    d = np.random.default_rng(0).normal(0.5, 1.0, 20)
    np.testing.assert_allclose(e_values(d), e_values(-1e-6 * d), rtol=1e-9)


def test_the_confidence_sequence_inverts_the_e_process() -> None:
    d = np.random.default_rng(1).normal(0.3, 2.0, 15)
    low, high = confidence_sequence(d, 0.05)
    for n in (3, 7, 15):
        # Bounds keep what earlier looks excluded: the last look that moved a bound is where E is 1/α.
        if math.isfinite(low[n - 1]):
            reached = max(e_values(d[:m] - low[n - 1])[-1] for m in range(3, n + 1))
            assert reached == pytest.approx(20.0, rel=1e-6)
        assert low[n - 1] <= high[n - 1]


def test_all_differences_equal_is_evidence_and_all_zero_is_none() -> None:
    assert e_values([0.0, 0.0, 0.0])[-1] == pytest.approx(0.5)
    assert e_values([1.0] * 5)[-1] == pytest.approx(6.0**2)
    assert anytime_p([0.0] * 10)[-1] == 1.0


def test_over_all_signs_of_given_sizes_the_evidence_is_exactly_one() -> None:
    """Symmetry and nothing else: 2¹⁰ equally likely signs of any ten sizes, a zero among them."""
    sizes = np.abs(np.random.default_rng(10).standard_cauchy(10))
    sizes[4] = 0.0
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=10)))
    np.testing.assert_allclose(sign_e_values(sizes * signs).mean(axis=0), 1.0, rtol=1e-12)


def test_the_evidence_of_the_signs_is_its_mixture_integrated() -> None:
    d = np.random.default_rng(11).normal(0.5, 1.0, 9)
    z = [0.0, *(d[i] / np.sqrt(np.mean(d[:i] ** 2)) for i in range(1, 9))]

    def integrand(theta: float) -> float:
        return float(np.prod([np.exp(theta * x) / np.cosh(theta * x) for x in z]) * norm.pdf(theta, scale=1.5))

    assert sign_e_values(d)[-1] == pytest.approx(quad(integrand, -12, 12)[0], rel=0.02)  # 24 points


def test_differences_of_one_point_up_or_down_raise_few_false_alarms() -> None:
    """The normal e-process alone calls 9 % of such studies: it is the evidence of the signs that holds here."""
    d = np.random.default_rng(12).choice([-1.0, 1.0], size=(2000, 100))
    assert (e_values(d)[:, 2:] > 20).any(axis=1).mean() > 0.05
    assert (anytime_p(d)[:, -1] < 0.05).mean() <= 0.05


def test_under_the_null_the_mean_of_e_is_at_most_one() -> None:
    d = np.random.default_rng(2).normal(size=(200_000, 6))
    means = e_values(d)[:, 1:].mean(axis=0)
    assert (means < 1.05).all()


@pytest.mark.parametrize("law", ["normal", "accuracy", "heavy"])
def test_looking_after_every_seed_raises_few_false_alarms(law: str) -> None:
    random = np.random.default_rng(3)
    size = (2000, 100)
    d = {
        "normal": lambda: random.normal(size=size),
        "accuracy": lambda: (random.binomial(240, 0.98, size) - random.binomial(240, 0.98, size)) / 240,
        "heavy": lambda: random.standard_t(2, size),
    }[law]()
    assert (e_values(d)[:, 2:] > 20).any(axis=1).mean() <= 0.05
    assert (anytime_p(d)[:, -1] < 0.05).mean() <= 0.05


def test_the_confidence_sequence_holds_at_all_seeds_together() -> None:
    random = np.random.default_rng(4)
    missed = 0
    for _ in range(1000):
        low, high = confidence_sequence(random.normal(0.7, 1.0, 60))
        missed += not (low[-1] <= 0.7 <= high[-1])
    assert missed / 1000 <= 0.05


def test_four_equal_variants_are_seldom_told_apart() -> None:
    """The whole decision, Holm and all: 2,000 null studies of four variants, looked at after every seed."""
    random = np.random.default_rng(5)
    false = 0
    for _ in range(2000):
        values = random.normal(size=(4, 40))
        pairs = {(str(a), str(b)): (values[a] - values[b]).tolist() for a, b in itertools.combinations(range(4), 2)}
        false += any(d.verdict in (LARGER, SMALLER) for d in decide(pairs, schedule_looks(40)))
    assert false / 2000 <= 0.05


def test_a_large_effect_is_decided_early_and_stays_decided() -> None:
    d = np.random.default_rng(6).normal(2.0, 1.0, 60).tolist()
    early = decide({("a", "b"): d}, schedule_looks(60))[0]
    assert early.verdict == LARGER
    assert early.decided_at is not None
    assert early.decided_at < 20
    assert decide({("b", "a"): [-x for x in d]}, schedule_looks(60))[0].verdict == SMALLER
    late = decide({("a", "b"): d[: early.decided_at]}, schedule_looks(60))[0]
    assert late == early


def test_equality_is_decided_within_a_margin_only() -> None:
    d = [1.0, -1.0, -1.0, 1.0] * 50
    assert decide({("a", "b"): d}, schedule_looks(200))[0].verdict == OPEN
    decision = decide({("a", "b"): d}, schedule_looks(200), margin=0.5)[0]
    assert decision.verdict == EQUIVALENT
    assert -0.5 <= decision.low <= decision.high <= 0.5


def test_variants_beyond_the_margin_are_seldom_called_the_same() -> None:
    random = np.random.default_rng(8)
    false = 0
    for _ in range(500):
        d = random.normal(0.5, 1.0, 100).tolist()
        false += decide({("a", "b"): d}, schedule_looks(100), margin=0.5)[0].verdict == EQUIVALENT
    assert false / 500 <= 0.05


def test_the_forecast_names_about_what_it_takes() -> None:
    random = np.random.default_rng(9)
    told = forecast(random.normal(0.5, 1.0, 400)[:30], None, 0.05)
    assert told is not None
    assert 20 < told < 400
    assert forecast(np.zeros(5), None, 0.05) is None


def test_looks_grow_by_a_half_and_end_with_the_last_seed() -> None:
    assert schedule_looks(20) == [3, 5, 8, 12, 18, 20]
    assert schedule_looks(2) == [2]


def test_quotients_in_float32_are_ties() -> None:
    a = {seed: float(np.float32(right) / np.float32(240)) for seed, right in enumerate((233, 230, 236, 229, 240))}
    b = {seed: float(np.float32(right - 1) / np.float32(240)) for seed, right in enumerate((233, 230, 236, 229, 240))}
    decision = settle({"a": a, "b": b}, None, [5])[0]
    assert decision.low == decision.high == pytest.approx(-1 / 240, rel=1e-4)


@pytest.mark.parametrize("total", [240, 10**9])
def test_counts_are_compared_exactly(total: int) -> None:
    """One case more at every seed is all signs alike, whatever it is a share of; quotients of 10⁹ would be ties."""
    right = [Fraction(total - k, total) for k in (7, 10, 4, 11, 1, 3, 3, 9)]
    outcomes = {"a": dict(enumerate(right)), "b": {s: r - Fraction(1, total) for s, r in enumerate(right)}}
    decision = settle(outcomes, None, [3, 5, 8])[0]
    assert decision.low == decision.high == -1 / total
    assert (decision.verdict, decision.decided_at) == (SMALLER, 8)


def test_few_studies_on_few_points_are_told_apart_by_chance() -> None:
    """Six equal variants, accuracies of 48 points as counts: ties in most pairs, at every look."""
    random = np.random.default_rng(13)
    false = 0
    for right in random.binomial(48, 0.97, size=(300, 6, 18)).tolist():
        study = {f"v{i}": {s: Fraction(k, 48) for s, k in enumerate(row)} for i, row in enumerate(right)}
        false += any(d.verdict in (LARGER, SMALLER) for d in settle(study, None, schedule_looks(18)))
    assert false / 300 <= 0.05
