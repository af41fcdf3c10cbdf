from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from probeta.curvature.loss import Point, StackedLoss
from probeta.curvature.stability import find_stability
from probeta.curvature.step import measure_step
from probeta.models.module import Measured
from probeta.vectorized.optimizers import make_optimizer
from tests.curvature.subjects import SIZES, Dense, make, to_double


def parabola(flat: Tensor, matrix: Tensor) -> Point:
    """½ θᵀ A θ of each row."""
    leaf = flat.detach().requires_grad_()
    loss = 0.5 * torch.einsum("ki,ij,kj->k", leaf, matrix, leaf)
    return Point(leaf, None, Measured(loss, torch.ones(len(flat), dtype=flat.dtype), {}))


def test_alpha_says_where_on_a_parabola_the_step_ended() -> None:
    matrix = torch.diag(torch.tensor([4.0, 1.0], dtype=torch.float64))
    start = torch.tensor([[1.0, 0.0]] * 3, dtype=torch.float64)
    ends = torch.tensor([[0.5, 0.0], [0.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    found = measure_step(parabola(start, matrix), parabola(ends, matrix))
    assert found.sharpness.tolist() == pytest.approx([4.0] * 3)
    assert found.alpha.tolist() == pytest.approx([-0.5, 0.0, 1.0])
    hill = measure_step(parabola(start, -matrix), parabola(ends, -matrix))
    assert hill.alpha.tolist() == [-1.0] * 3


@pytest.mark.parametrize("net", SIZES)
def test_the_curvature_of_a_step_is_that_of_the_dense_hessian(net: str, configure: Callable[..., Any]) -> None:
    subject = make(net, configure)
    model, batch = subject.nets(1, 1)[0].model.double(), to_double(subject.examples(8, torch.device("cpu")))
    loss = StackedLoss.of([model])
    before = loss.at(batch)
    after = loss.at(batch, loss.flat - 0.1 * before.gradient.detach())
    found = measure_step(before, after)
    dense = Dense(model, batch)
    g = dense.gradient(dense.flat)
    assert float(found.sharpness) == pytest.approx(float(g @ dense.hessian() @ g / (g @ g)), rel=1e-7)
    rows = torch.tensor([[1.0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 1, 2]], dtype=torch.float64)
    there = dense.flat - 0.1 * g
    seen = torch.stack([dense(dense.flat), dense(there), -0.1 * g @ g, -0.1 * g @ dense.gradient(there)])
    _, linear, square = torch.linalg.lstsq(rows, seen[:, None]).solution[:, 0].tolist()
    least = -linear / (2 * square)
    if square > 0:
        assert float(found.alpha) == pytest.approx((1 - least) / abs(least), rel=1e-6)


def run_quadratic(optimizer: str, sharpness: float, steps: int = 400, **options: Any) -> float:
    """|θ| after so many steps from 1 on the parabola of curvature `sharpness`."""
    theta = torch.ones(1, dtype=torch.float64, requires_grad=True)
    chosen = getattr(torch.optim, optimizer)([theta], **options)
    for _ in range(steps):
        chosen.zero_grad()
        (0.5 * sharpness * theta**2).sum().backward()
        chosen.step()
    return float(theta.detach().abs())


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"momentum": 0.5, "dampening": 0.3},
                {"weight_decay": 0.5}],
)  # fmt: skip
def test_gradient_descent_diverges_above_its_edge_and_not_below(options: dict[str, Any]) -> None:
    options = {"lr": 0.1, **options}
    stability = find_stability(torch.optim.SGD([torch.zeros(1, requires_grad=True)], **options))
    assert stability is not None
    edge = float(stability.edge - stability.decay)
    assert run_quadratic("SGD", 0.99 * edge, **options) < 1 < run_quadratic("SGD", 1.01 * edge, **options)
    node = {"_target_": "torch.optim.SGD", **options}
    stacked = find_stability(make_optimizer([node, node], [torch.zeros(2, 3)]), stacked=True)
    assert stacked is not None
    assert stacked.edge.tolist() == stability.edge.tolist() * 2


def test_adams_edge_is_that_of_the_preconditioned_hessian() -> None:
    """With v held (β₂ = 1), Adam is momentum on a rescaled parabola: its own edge, found by running that."""
    rate, beta, scale = 0.01, 0.9, 0.2
    theta = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    adam = torch.optim.Adam([theta], lr=rate, betas=(beta, 0.999), eps=1e-8)
    theta.grad = torch.full_like(theta, scale)
    for _ in range(300):
        adam.step()
    stability = find_stability(adam)
    assert stability is not None
    assert stability.scale is not None
    # After many equal gradients √v̂ is their size.
    assert stability.scale.tolist()[0] == pytest.approx([scale**-0.5] * 2, rel=1e-6)
    edge = float(stability.edge)

    def diverges(sharpness: float) -> bool:
        w, m = 1.0, 0.0
        for _ in range(4000):
            m = beta * m + (1 - beta) * sharpness * w
            w -= rate * m / scale
        return abs(w) > 1

    assert diverges(1.01 * edge * scale)
    assert not diverges(0.99 * edge * scale)


def step_twice(optimizer: str, gradients: tuple[float, float], **options: Any) -> torch.optim.Optimizer:
    theta = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    chosen: torch.optim.Optimizer = getattr(torch.optim, optimizer)([theta], lr=0.01, **options)
    for gradient in gradients:
        theta.grad = torch.full_like(theta, gradient)
        chosen.step()
    return chosen


@pytest.mark.parametrize("optimizer", ["RMSprop", "NAdam", "RAdam", "Adamax", "Adagrad"])
def test_an_optimizer_with_another_edge_has_none_here(optimizer: str) -> None:
    assert find_stability(step_twice(optimizer, (0.5, 0.5))) is None


def test_with_amsgrad_the_preconditioner_is_of_the_greatest_second_moment() -> None:
    stability = find_stability(step_twice("Adam", (1.0, 0.0), amsgrad=True))
    assert stability is not None
    assert stability.scale is not None
    # v is 0.001 after the first step and less after the second; it is corrected by 1 − β₂².
    root = (0.001 / (1 - 0.999**2)) ** 0.5
    assert stability.scale.tolist()[0] == pytest.approx([((1 - 0.9**2) * (root + 1e-8)) ** -0.5] * 2, rel=1e-6)


def test_members_of_an_ensemble_have_the_preconditioner_of_their_single_runs() -> None:
    weights = [torch.randn(3, 2), torch.randn(4)]
    single = [torch.nn.Parameter(w.clone()) for w in weights]
    stacked = [torch.stack([w, w]) for w in weights]
    node = {"_target_": "torch.optim.AdamW", "lr": 0.01}
    one, many = torch.optim.AdamW(single, lr=0.01), make_optimizer([node, node], stacked)
    assert find_stability(one) is None
    for step in range(3):
        grads = [w * (step + 1) for w in weights]
        for p, g in zip(single, grads, strict=True):
            p.grad = g
        one.step()
        many.update(stacked, [torch.stack([g, g]) for g in grads])
    a, b = find_stability(one), find_stability(many, stacked=True)
    assert a is not None and b is not None  # noqa: PT018
    assert a.scale is not None and b.scale is not None  # noqa: PT018
    assert torch.allclose(a.scale.expand(2, -1), b.scale, rtol=1e-6)
    assert a.edge.tolist() * 2 == b.edge.tolist()
