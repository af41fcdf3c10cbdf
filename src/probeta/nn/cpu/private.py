"""The private names of torch that the fast paths use, each with a public form for a torch that lacks it.

Whoever upgrades torch looks here. A test compares every public form with its private one, and another finds no private
name elsewhere in `probeta.nn`.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

NAMES = (
    "torch._C._functorch.peek_interpreter_stack",
    "torch.ops.aten._softmax_backward_data",
    "torch.ops.mkldnn._is_mkldnn_bf16_supported",
    "torch.ops.mkldnn._linear_pointwise",
    "torch.ops.mkldnn._reorder_linear_weight",
)

ROWS = 64
"""What a packed weight's layout is chosen for; other numbers of rows lose little by it."""


def find(name: str) -> Any:
    """What this torch calls `name`, or `None`."""
    try:
        return reduce(getattr, name.split(".")[1:], torch)
    except AttributeError:
        return None


peek_stack, softmax_backward_data, bf16_supported, linear_pointwise, reorder_weight = map(find, NAMES)


class _Untransformable(torch.autograd.Function):
    """Without `setup_context` and `vmap`: `torch.func` documents that it refuses such a function."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x


def transformed() -> bool:
    """Whether a transform of `torch.func` (vmap, grad) is at work."""
    if peek_stack is not None:
        return peek_stack() is not None
    try:
        _Untransformable.apply(torch.zeros(()))
    except RuntimeError:
        return True
    return False


def softmax_backward(grad: Tensor, weights: Tensor, out: Tensor) -> Tensor:
    """∂L/∂scores of `weights = softmax(scores)` over the last dimension, written to `out`: α (g - Σ α g)."""
    if softmax_backward_data is not None:
        result: Tensor = softmax_backward_data.out(grad, weights, grad.dim() - 1, grad.dtype, grad_input=out)
        return result
    return torch.mul(weights, grad - (weights * grad).sum(-1, keepdim=True), out=out)


def pack(weight: Tensor) -> Tensor | None:
    """A CPU's `weight (O, I)` in the layout that oneDNN reads fastest, or `None` where it has none."""
    if bf16_supported is None or linear_pointwise is None or reorder_weight is None:
        return None
    known = weight.dtype == torch.float32 or (weight.dtype == torch.bfloat16 and bf16_supported())
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available() or not known:
        return None
    packed: Tensor = reorder_weight(weight.detach(), ROWS)
    return packed


def packed_linear(x: Tensor, weight: Tensor, packed: Tensor | None, bias: Tensor | None) -> Tensor:
    """`x Wᵀ + b`, of the `packed` weight where there is one."""
    if packed is None:
        return F.linear(x, weight, bias)
    product: Tensor = linear_pointwise(x, packed, bias, "none", [], "")
    return product
