"""A member's bits do not depend on whoever shares its batch, nor on whether its steps were recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import vmap
from torch.nn import functional as F

from probeta.vectorized.invariant import Invariant, multiply
from tests.vectorized.runs import changed, train_together, tree_of

CASES = st.fixed_dictionaries(
    {
        "model.width": st.sampled_from([5, 8, 13, 24, 64]),
        "model.depth": st.integers(0, 2),
        "model.batch_norm": st.booleans(),
        "model.layer_norm": st.booleans(),
        "model.activation": st.sampled_from(["relu", "tanh", "sigmoid", "gelu"]),
        "model.dropout": st.sampled_from([0.0, 0.2]),
        "data.batch_size": st.sampled_from([None, 19, 20]),
        "data.n_samples": st.sampled_from([101, 240]),
        "trainer.precision": st.sampled_from(["32-true", "64-true"]),
    }
)


WAS_BROKEN = {
    "model.width": 13, "model.depth": 1, "model.activation": "gelu", "model.batch_norm": True, "model.dropout": 0.2,
    "data.batch_size": 19, "data.n_samples": 101, "trainer.precision": "64-true",
}  # fmt: skip

# Alone, its 60 × 2 inputs were everybody's, and not padded.
SHARED_OR_NOT = {
    "model.width": 8, "model.depth": 2, "model.activation": "gelu", "data.n_samples": 101,
    "trainer.precision": "32-true",
}  # fmt: skip


def outcome(trees: list[dict[str, Any]], place: int, patience: int) -> tuple[Any, Any]:
    member = train_together(trees, patience)[place]
    return member.rows, member.weights


@settings(
    max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@example(case=WAS_BROKEN, company=7, rate=0.03, data_seed=7)
@example(case=SHARED_OR_NOT, company=6, rate=0.2, data_seed=42)
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


KERNELS: dict[str, Callable[..., Tensor]] = {
    "sigmoid": torch.sigmoid,
    "sigmoid in place": lambda a: a.clone().sigmoid_(),
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "erf": torch.erf,
    "relu": torch.relu,
    "sqrt": lambda a: a.abs().sqrt(),
    "rsqrt": lambda a: (a.abs() + 1).rsqrt(),
    "divide": lambda a: a.roll(1, 1) / (a.abs() + 1),
    "multiply and add": lambda a: torch.addcmul(a, a.roll(1, 1), a.roll(2, 1), value=-1),
    "divide and add": lambda a: torch.addcdiv(a, a.roll(1, 1), a.abs() + 1, value=-1),
    "lerp": lambda a: torch.lerp(a, a.roll(1, 1), a.abs() / (1 + a.abs())),
    "log softmax": lambda a: F.log_softmax(a, -1),
    "softmax": lambda a: F.softmax(a, -1),
    "layer norm": lambda a: F.layer_norm(a, a.shape[-1:]),
    "sum of rows": lambda a: a.sum(1),
    "sum of columns": lambda a: a.sum(2),
    "norm": lambda a: torch.linalg.vector_norm(a.flatten(1), dim=1),
    "product": lambda a: torch.bmm(a, a.transpose(1, 2)),
    "product with a shared one": lambda a: torch.bmm(a[:1].mul(0).add(1).expand_as(a), a.transpose(1, 2)),
    "batch norm": lambda a: vmap(lambda x: F.batch_norm(x, None, None, training=True))(a),
}
LAYOUTS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda t: t.contiguous(),
    lambda t: t.transpose(1, 2).contiguous().transpose(1, 2),
    # Members not one behind the other: what vmap makes of batch norm.
    lambda t: t.transpose(0, 1).contiguous().transpose(0, 1),
)


def gradient(function: Callable[..., Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().requires_grad_()
    value = function(leaf)
    (grad,) = torch.autograd.grad((value * value).sum(), leaf)
    return value.detach(), grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("kernel", list(KERNELS))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.integers(2, 40), columns=st.integers(2, 40), layout=st.sampled_from(LAYOUTS),
    members=st.lists(st.integers(0, 10), min_size=2, max_size=9),
)  # fmt: skip
def test_kernels_compute_a_member_alike_wherever_it_stands(
    kernel: str, dtype: torch.dtype, rows: int, columns: int, layout: Callable[[Tensor], Tensor], members: list[int]
) -> None:
    everyone = 3 * torch.randn(11, rows, columns, dtype=dtype, generator=torch.Generator().manual_seed(rows))
    with Invariant():
        together = gradient(KERNELS[kernel], layout(everyone))
        some = gradient(KERNELS[kernel], layout(everyone[members]))
        lone = gradient(KERNELS[kernel], layout(everyone[[members[0]] * 2]))
    for whole, part, alone in zip(together, some, lone, strict=True):
        assert torch.equal(part, whole[members])
        assert torch.equal(alone[0], whole[members[0]])


def test_bits_do_not_depend_on_company_with_many_threads() -> None:
    # Sizes of which MKL divides one product among four threads where there are two, and not where there are twelve.
    case = {
        "model.width": 112, "model.depth": 2, "data.n_samples": 101, "data.batch_size": None, "trainer.max_epochs": 3,
        "trainer.precision": "64-true",
    }  # fmt: skip
    tree = changed(tree_of("experiment=moons_mlp"), case)
    trees = [changed(tree, {"seed": seed}) for seed in range(12)]
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        (rows, weights), (other_rows, other_weights) = outcome(trees[:1], 0, 9), outcome(trees, 0, 9)
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
    assert rows == other_rows
    for name, value in weights.items():
        assert torch.equal(value, other_weights[name]), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(3, 17, 13, 5), (2, 19, 13, 13), (5, 8, 16, 16), (3, 60, 2, 8), (4, 121, 64, 2)])
def test_a_member_s_product_is_that_of_its_single_run(sizes: tuple[int, int, int, int], dtype: torch.dtype) -> None:
    """Bit for bit, also where a matrix does not fill whole cache lines."""
    k, n, m, p = sizes
    a, b = torch.randn(k, n, m, dtype=dtype), torch.randn(k, m, p, dtype=dtype)
    for layout in (*LAYOUTS, lambda t: t[:1].expand_as(t)):
        found = multiply(layout(a), layout(b))
        assert found is not None
        assert found.is_contiguous()
        for own, left, right in zip(found, layout(a), layout(b), strict=True):
            alone = [t.T.clone().T if t.stride(0) == 1 else t.clone() for t in (left, right)]
            assert torch.equal(own, torch.mm(*alone))


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


def test_a_member_with_all_seeds_of_one_number_is_the_run_of_that_seed() -> None:
    tree = changed(
        tree_of("experiment=moons_dropout"),
        {"trainer.max_epochs": 4, "data.n_samples": 60, "data.batch_size": 20, "model.width": 5},
    )
    own = changed(tree, {"seed": 1, "seeds.init": 5, "seeds.order": 5, "seeds.noise": 5})
    alone, member = outcome([changed(tree, {"seed": 5})], 0, 3), outcome([changed(tree, {"seed": 8}), own], 1, 3)
    assert member[0] == alone[0]
    assert all(torch.equal(member[1][name], weight) for name, weight in alone[1].items())
