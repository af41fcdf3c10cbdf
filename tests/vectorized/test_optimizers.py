"""Stacked optimizers against torch's own, member by member."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from probeta.vectorized.optimizers import make_optimizer

RATE = st.floats(1e-4, 0.5)
SGD = st.fixed_dictionaries(
    {
        "lr": RATE,
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "weight_decay": st.sampled_from([0.0, 1e-2]),
        "dampening": st.just(0.0),
    }
)
ADAM = st.fixed_dictionaries(
    {
        "lr": RATE,
        "betas": st.tuples(st.floats(0, 0.95), st.floats(0.5, 0.999)),
        "eps": st.sampled_from([1e-8, 1e-3]),
        "weight_decay": st.sampled_from([0.0, 1e-2]),
    }
)
SHAPES = ((3, 2), (4,), ())


def agree(target: str, nodes: list[dict[str, Any]], dtype: torch.dtype, tolerance: float, steps: int = 6) -> None:
    """K torch optimizers and one stacked one, fed the same gradients; half of the members leave on the way."""
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(len(nodes), *shape, generator=generator, dtype=dtype) for shape in SHAPES]
    singles = [[p[k].clone().requires_grad_() for p in start] for k in range(len(nodes))]
    kind = getattr(torch.optim, target.rsplit(".", 1)[1])
    theirs = [kind(p, **node) for p, node in zip(singles, nodes, strict=True)]
    together = [p.clone() for p in start]
    ours = make_optimizer([{"_target_": target, **node} for node in nodes], together)
    alive = list(range(len(nodes)))
    for step in range(steps):
        if step == 3:
            alive = alive[::-2]
            rows = torch.tensor(alive)
            together = [p.index_select(0, rows) for p in together]
            ours.rows(rows, together)
        grads = [torch.randn(len(nodes), *shape, generator=generator, dtype=dtype) for shape in SHAPES]
        for p, grad in zip(together, grads, strict=True):
            p.grad = grad[alive].clone()
        ours.step()
        for k, optimizer in enumerate(theirs):
            for p, grad in zip(singles[k], grads, strict=True):
                p.grad = grad[k].clone()
            optimizer.step()
    for place, k in enumerate(alive):
        for mine, single in zip(together, singles[k], strict=True):
            torch.testing.assert_close(mine[place], single, rtol=tolerance, atol=tolerance)


@settings(max_examples=15, deadline=None)
@given(nodes=st.lists(SGD, min_size=2, max_size=4), nesterov=st.booleans())
def test_sgd_takes_the_steps_of_torchs_sgd(nodes: list[dict[str, Any]], nesterov: bool) -> None:
    if nesterov:
        nodes = [{**n, "momentum": n["momentum"] or 0.1, "nesterov": True} for n in nodes]
    else:
        nodes = [{**n, "dampening": 0.3} for n in nodes]
    agree("torch.optim.SGD", nodes, torch.float64, 1e-12)
    agree("torch.optim.SGD", nodes, torch.float32, 1e-5)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@settings(max_examples=15, deadline=None)
@given(nodes=st.lists(ADAM, min_size=2, max_size=4))
def test_adam_takes_the_steps_of_torchs_adam(name: str, nodes: list[dict[str, Any]]) -> None:
    agree(f"torch.optim.{name}", nodes, torch.float64, 1e-12)
    agree(f"torch.optim.{name}", nodes, torch.float32, 1e-5)


def test_defaults_are_torchs() -> None:
    for name in ("SGD", "Adam", "AdamW"):
        agree(f"torch.optim.{name}", [{"lr": 0.1}, {"lr": 0.2}], torch.float64, 1e-12)


@pytest.mark.parametrize(
    ("target", "node"),
    [
        ("torch.optim.SGD", {"momentum": 0.9, "weight_decay": 1e-3}),
        ("torch.optim.SGD", {"momentum": 0.8, "nesterov": True, "weight_decay": 1e-3}),
        ("torch.optim.Adam", {"weight_decay": 1e-3}),
        ("torch.optim.AdamW", {"betas": (0.8, 0.99)}),
    ],
)
def test_every_rounding_in_float32_is_torchs(target: str, node: dict[str, Any]) -> None:
    agree(target, [{"lr": lr, **node} for lr in (0.003, 0.1, 0.02)], torch.float32, 0.0, steps=30)
