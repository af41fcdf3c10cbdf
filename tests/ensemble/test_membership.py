"""A member's bits do not depend on whoever shares its batch, nor on whether its steps were recorded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from probeta.ensemble.inplace import simplify
from probeta.ensemble.invariant import Invariant, product
from probeta.ensemble.tape import compiled, record
from tests.ensemble.runs import changed, train_together, tree_of

CASES = st.fixed_dictionaries(
    {
        "model.width": st.sampled_from([5, 13, 64]),
        "model.depth": st.integers(1, 2),
        "model.activation": st.sampled_from(["relu", "tanh", "sigmoid", "gelu"]),
        "model.dropout": st.sampled_from([0.0, 0.2]),
        "data.batch_size": st.sampled_from([None, 19]),
        "data.n_samples": st.sampled_from([101, 240]),
        "trainer.precision": st.sampled_from(["32-true", "64-true"]),
    }
)


def outcome(trees: list[dict[str, Any]], place: int, patience: int) -> tuple[Any, Any]:
    member = train_together(trees, patience)[place]
    return member.rows, member.weights


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.reuse, Phase.generate])
@given(case=CASES, company=st.integers(1, 8), rate=st.sampled_from([0.03, 0.2]), data_seed=st.sampled_from([42, 7]))
def test_bits_do_not_depend_on_company(case: dict[str, Any], company: int, rate: float, data_seed: int) -> None:
    tree = changed(tree_of("experiment=moons_mlp"), {"trainer.max_epochs": 5, **case})
    me = changed(tree, {"seed": 5})
    others = [changed(tree, {"seed": s, "optimizer.lr": rate, "data.seed": data_seed}) for s in range(10, 10 + company)]
    rows, weights = outcome([me], 0, 10**9)
    for trees, place, patience in (([*others, me], company, 2), ([me, *others], 0, 10**9)):
        other_rows, other_weights = outcome(trees, place, patience)
        assert other_rows == rows
        for name, value in weights.items():
            assert torch.equal(value, other_weights[name]), name


@pytest.mark.xfail(strict=True, reason="batch norm's bits depend on company for some sizes: the promise is broken here")
def test_batch_norm_s_bits_do_not_depend_on_company() -> None:
    case = {
        "model.width": 13, "model.depth": 1, "model.activation": "gelu", "model.batch_norm": True, "model.dropout": 0.2,
        "data.batch_size": 19, "data.n_samples": 101, "trainer.precision": "64-true", "trainer.max_epochs": 5,
    }  # fmt: skip
    tree = changed(tree_of("experiment=moons_mlp"), case)
    me = changed(tree, {"seed": 5})
    others = [changed(tree, {"seed": s, "optimizer.lr": 0.03, "data.seed": 7}) for s in range(10, 17)]
    rows, weights = outcome([me], 0, 10**9)
    other_rows, other_weights = outcome([*others, me], 7, 2)
    assert other_rows == rows
    for name, value in weights.items():
        assert torch.equal(value, other_weights[name]), name


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=CASES, company=st.integers(1, 8))
def test_with_batch_norm_company_changes_rounding_and_no_more(case: dict[str, Any], company: int) -> None:
    # Known: the bits of some sizes do differ here, where they should not.
    settled = {**case, "model.batch_norm": True, "trainer.precision": "64-true", "trainer.max_epochs": 5}
    tree = changed(tree_of("experiment=moons_mlp"), settled)
    me = changed(tree, {"seed": 5})
    others = [changed(tree, {"seed": s}) for s in range(10, 10 + company)]
    _, weights = outcome([me], 0, 10**9)
    _, other_weights = outcome([*others, me], company, 10**9)
    for name, value in weights.items():
        torch.testing.assert_close(value, other_weights[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sizes", [(3, 17, 13, 5), (2, 19, 13, 13), (5, 8, 16, 16)])
def test_products_are_padded_to_whole_lines(sizes: tuple[int, int, int, int]) -> None:
    k, n, m, p = sizes
    a, b = torch.randn(k, n, m, dtype=torch.float64), torch.randn(k, m, p, dtype=torch.float64)
    padded = product(a, b)
    assert (padded is None) == (n * m % 8 == m * p % 8 == n * p % 8 == 0)
    if padded is not None:
        torch.testing.assert_close(padded, torch.bmm(a, b))
        assert padded.is_contiguous()


def test_invariant_kernels_are_torchs_to_rounding() -> None:
    x = torch.linspace(-30, 30, 101, dtype=torch.float64, requires_grad=True)
    for function in (torch.sigmoid, torch.nn.functional.gelu):
        (plain,) = torch.autograd.grad(function(x).sum(), x)
        with Invariant():
            value = function(x)
            (grad,) = torch.autograd.grad(value.sum(), x)
        torch.testing.assert_close(value, function(x), rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(grad, plain, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_is_torchs_to_rounding(training: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(s, generator=generator, dtype=torch.float64) for s in ((7, 5), (5,), (5,)))
    found = []
    for _ in range(2):
        mean, variance = torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
        leaf = x.clone().requires_grad_()
        if found:
            with Invariant():
                y = torch.nn.functional.batch_norm(leaf, mean, variance, weight, bias, training)
                (grad,) = torch.autograd.grad((y**3).sum(), leaf)
        else:
            y = torch.nn.functional.batch_norm(leaf, mean, variance, weight, bias, training)
            (grad,) = torch.autograd.grad((y**3).sum(), leaf)
        found.append((y.detach(), grad, mean, variance))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-13)


def test_a_replay_computes_what_was_recorded_on_other_numbers() -> None:
    def function(x: torch.Tensor, w: torch.Tensor, running: torch.Tensor) -> list[torch.Tensor]:
        with torch.enable_grad():
            leaf = w.detach().requires_grad_()
            h = torch.relu(x @ leaf)
            z = (h + 1) * torch.tanh(h) - h.detach()
            alias = z.view(-1)
            running.mul_(0.5).add_(z.detach().sum(0))
            (grad,) = torch.autograd.grad((alias * alias).sum() + z.unbind(0)[1].sum(), leaf)
        return [z.detach(), grad, alias.detach() * 1]

    generator = torch.Generator().manual_seed(0)
    shapes = ((4, 3), (3, 5), (5,))
    replay = compiled(simplify(record(function, [torch.randn(s, generator=generator) for s in shapes])))
    for _ in range(3):
        inputs = [torch.randn(s, generator=generator) for s in shapes]
        copies = [t.clone() for t in inputs]
        expected, found = function(*inputs), replay(*copies)
        for a, b in zip([*expected, *inputs], [*found, *copies], strict=True):
            assert torch.equal(a, b)
