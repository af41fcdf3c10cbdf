from __future__ import annotations

import pytest
import torch
from torch import Tensor

from probeta.curvature.draws import Draws
from probeta.curvature.hutchinson import estimate_trace
from probeta.curvature.lanczos import Product, lanczos


def quadratic(spectrum: Tensor) -> Tensor:
    basis, _ = torch.linalg.qr(torch.randn(len(spectrum), len(spectrum), dtype=torch.float64))
    return basis @ torch.diag(spectrum) @ basis.T


def by(*matrices: Tensor) -> Product:
    stacked = torch.stack(matrices)
    return lambda v: torch.einsum("kij,kj->ki", stacked, v)


def test_extreme_eigenvalues_of_a_known_spectrum() -> None:
    torch.manual_seed(0)
    spectrum = torch.cat([torch.linspace(-1, 1, 97, dtype=torch.float64), torch.tensor([-3.0, 5.0, 5.0001])])
    matrix = quadratic(spectrum)
    start = torch.randn(1, 100, dtype=torch.float64)
    [found] = lanczos(by(matrix), start, 100, 1e-9)
    assert len(found.values) < 100
    assert float(found.values[-1]) == pytest.approx(5.0001, rel=1e-6)
    assert float(found.values[0]) == pytest.approx(-3.0, rel=1e-6)
    assert found.residuals[[0, -1]].max() <= 1e-9 * 5.0001
    [whole] = lanczos(by(matrix), start, 1000)
    assert torch.allclose(whole.values, spectrum.sort().values, atol=1e-6)


def test_one_end_alone_is_found_sooner() -> None:
    torch.manual_seed(4)
    matrix = quadratic(torch.cat([torch.linspace(-1, 1, 99, dtype=torch.float64), torch.tensor([5.0])]))
    start = torch.randn(1, 100, dtype=torch.float64)
    [top], [both] = (lanczos(by(matrix), start, 100, 1e-6, ends) for ends in ((-1,), (0, -1)))
    assert len(top.values) < len(both.values)
    assert float(top.values[-1]) == pytest.approx(5.0, rel=1e-6)


def test_a_start_in_a_small_invariant_space_ends_there_and_stops_no_other() -> None:
    small, other = (
        torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)),
        quadratic(torch.arange(4.0).double()),
    )
    start = torch.tensor([[1.0, 0.0, 1.0, 0.0], [1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    found, beside = lanczos(by(small, other), start, 4)
    assert found.values.tolist() == pytest.approx([1.0, 3.0])
    assert found.weights.tolist() == pytest.approx([0.5, 0.5])
    assert beside.values.tolist() == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=1e-9)


def test_the_quadrature_has_the_moments_of_the_spectrum() -> None:
    """k steps integrate polynomials of degree 2k - 1 exactly: vᵀ Hᵐ v for each m below 2k."""
    torch.manual_seed(1)
    matrix = quadratic(torch.randn(30, dtype=torch.float64))
    v = Draws([0], torch.zeros(1, 30, dtype=torch.float64)).signs()
    [seen] = lanczos(by(matrix), v, 5)
    for moment in range(10):
        exact = v[0] @ torch.linalg.matrix_power(matrix, moment) @ v[0] / 30
        assert float((seen.weights * seen.values**moment).sum()) == pytest.approx(float(exact), abs=1e-8)


def test_the_trace_lies_within_three_standard_errors() -> None:
    """Of 300 estimates; Student's t with 31 degrees of freedom leaves 3 standard errors in 0.5 %."""
    torch.manual_seed(2)
    matrix = quadratic(torch.randn(40, dtype=torch.float64) * 3 + 1)
    draws = Draws(range(300), torch.zeros(300, 40, dtype=torch.float64))
    trace, error = estimate_trace(lambda v: v @ matrix, draws, 32)
    assert int(((trace - matrix.trace()).abs() > 3 * error).sum()) <= 5


def test_what_is_drawn_follows_from_the_seed_alone() -> None:
    like = torch.zeros(2, 7)
    together, alone = Draws([3, 4], like), Draws([4], like[:1])
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert torch.equal(together.normal()[1:], alone.normal())
    assert torch.equal(together.signs()[1:], alone.signs())
    assert torch.equal(torch.random.get_rng_state(), before)
