"""torch's private names: which they are, where they stand, and that the public forms give the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import probeta.nn
from probeta.nn.cpu import private

PRIVATE = re.compile(r"\btorch(?:\.\w+)*\._[a-z]\w*(?:\.\w+)*")
"""`torch._C._functorch.peek_interpreter_stack`, `torch.utils._pytree`, …"""


def test_five_private_names_of_torch_are_used_in_one_module() -> None:
    assert private.NAMES == (
        "torch._C._functorch.peek_interpreter_stack",
        "torch.ops.aten._softmax_backward_data",
        "torch.ops.mkldnn._is_mkldnn_bf16_supported",
        "torch.ops.mkldnn._linear_pointwise",
        "torch.ops.mkldnn._reorder_linear_weight",
    )
    found = {
        (path.name, name)
        for path in Path(probeta.nn.__path__[0]).rglob("*.py")
        for name in PRIVATE.findall(path.read_text())
    }
    assert found == {("private.py", name) for name in private.NAMES}


def test_a_name_that_torch_lacks_is_none() -> None:
    assert private.find("torch.ops.mkldnn._no_such_operator") is None
    assert private.find("torch._C._no_such_module.function") is None
    assert private.find("torch.ops.aten._softmax_backward_data") is torch.ops.aten._softmax_backward_data


@pytest.fixture(params=["private", "public"])
def torch_with(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch with these names, and one without."""
    names = ("peek_stack", "softmax_backward_data", "bf16_supported", "linear_pointwise", "reorder_weight")
    assert all(getattr(private, name) is not None for name in names)
    if request.param == "public":
        for name in names:
            monkeypatch.setattr(private, name, None)


@pytest.mark.usefixtures("torch_with")
def test_transforms_are_noticed() -> None:
    seen: list[bool] = []

    def look(x: torch.Tensor) -> torch.Tensor:
        seen.append(private.transformed())
        return x.sum()

    torch.func.vmap(look)(torch.zeros(2, 3))
    torch.func.grad(look)(torch.zeros(3))
    torch.func.vmap(torch.func.grad(look))(torch.zeros(2, 3))
    assert seen == [True, True, True]
    assert not private.transformed()
    with torch.inference_mode():
        assert not private.transformed()


@pytest.mark.usefixtures("torch_with")
def test_the_gradient_of_a_softmax_is_autograds() -> None:
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    weights, pull = torch.softmax(scores, dim=-1), torch.randn(3, 5, dtype=torch.float64)
    (want,) = torch.autograd.grad(weights, scores, pull)
    out = torch.empty(3, 5, dtype=torch.float64)
    given = private.softmax_backward(pull, weights.detach(), out)
    torch.testing.assert_close(given, want)
    torch.testing.assert_close(out, want)


@pytest.mark.usefixtures("torch_with")
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_packed_product_is_the_product(dtype: torch.dtype, bias: bool) -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(40, 30).to(dtype), torch.randn(7, 30).to(dtype)
    offset = torch.randn(40).to(dtype) if bias else None
    with torch.inference_mode():
        product = private.packed_linear(x, weight, private.pack(weight), offset)
    want: Any = x.double() @ weight.double().t() + (0 if offset is None else offset.double())
    near = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float64: 1e-12}[dtype]
    assert product.dtype == dtype
    torch.testing.assert_close(product.double(), want, rtol=near, atol=near)


def test_packing_is_left_out_where_the_layout_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert private.pack(torch.zeros(4, 4, dtype=torch.float64)) is None
    monkeypatch.setattr(private, "reorder_weight", None)
    assert private.pack(torch.zeros(4, 4)) is None
