"""Which library multiplies float32 matrices on the CPU, where that changes the time and not the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class HandedOver:
    """Permission of oneDNN for float32 products. It is the process's: of several threads the last one out ends it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.inside = 0
        self.before = ""

    @contextmanager
    def __call__(self) -> Iterator[None]:
        settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.before = settings.fp32_precision
                settings.fp32_precision = "bf16"
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    settings.fp32_precision = self.before


handed_over = HandedOver()


@cache
def onednn_keeps_float32() -> bool:
    """Whether oneDNN's products stay float32 here when torch may hand them over.

    torch gives float32 products to oneDNN only together with the permission to round their inputs to bfloat16.
    Without matrix units (AMX), oneDNN does not use that permission; it is then a third faster than MKL on the
    processors that were measured. 1 + 2⁻¹² is a float32 number that bfloat16 rounds to 1.
    """
    if not torch.backends.mkldnn.is_available():
        return False
    a = torch.full((64, 512), 1.0 + 2.0**-12)
    b = torch.ones(512, 512)
    with handed_over():
        product = torch.mm(a, b)
    return bool((product == 512.0 + 512.0 * 2.0**-12).all())


@contextmanager
def fast_float32() -> Iterator[None]:
    """Products inside are oneDNN's where it computes them in float32, torch's choice elsewhere."""
    if onednn_keeps_float32():
        with handed_over():
            yield
    else:
        yield


def transformed() -> bool:
    """Whether `torch.func` (vmap, grad) is at work: hand-written gradients do not batch, autograd's do."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def product_dtype(device: str) -> torch.dtype | None:
    """The dtype in which autocast wants matrix products, or `None`."""
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


SMALL = 1 << 23
"""Multiplications below which a product takes less time than choosing its library."""


PACKED = 1 << 16
"""Elements from which on a weight is worth a layout of its own."""

ROWS = 64
"""What that layout is chosen for; others lose little by it."""


class FastLinear(torch.autograd.Function):
    """`x (…, I)` → `x Wᵀ + b`, with `fast_float32` in both directions: autograd's backward leaves the block."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        with fast_float32():
            return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        wants_x, wants_weight, wants_bias = ctx.needs_input_grad
        rows = grad.flatten(0, -2)
        with fast_float32():
            d_x = torch.mm(rows, weight).view_as(x) if wants_x else None
            d_weight = torch.mm(rows.t(), x.flatten(0, -2)) if wants_weight else None
        return d_x, d_weight, rows.sum(0) if wants_bias else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`, fast where that is exact; torch's own under autocast and `torch.func`."""
    small = x.numel() * weight.shape[0] < SMALL
    if small or transformed():
        return F.linear(x, weight, bias)
    if product_dtype(x.device.type) is not None:
        # Of an x (B, T, I) that is not contiguous, torch's matmul copies the weight B times.
        return F.linear(x.flatten(0, -2), weight, bias).unflatten(0, x.shape[:-1])
    result: Tensor = FastLinear.apply(x, weight, bias)
    return result


class Product:
    """`x (…, I)` → `x Wᵀ + b` for weights that many products read and none changes: a search's. No gradient.

    oneDNN reads a weight in a layout of its own: made once, it saves a tenth of a product of 64 rows and half of one
    of 8. Made under autocast, it multiplies in autocast's dtype from then on. The result has `x`'s dtype. Elsewhere
    this is torch's own.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        low = product_dtype(weight.device.type) or weight.dtype
        self.weight, self.bias = weight.to(low), None if bias is None else bias.to(low)
        self.packed: Tensor | None = None
        known = low == torch.float32 or (low == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())
        here = weight.device.type == "cpu" and torch.backends.mkldnn.is_available() and known
        if here and not torch.is_grad_enabled() and not transformed() and weight.numel() >= PACKED:
            self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), ROWS)

    def __call__(self, x: Tensor) -> Tensor:
        low = x.to(self.weight.dtype)
        if self.packed is None:
            return F.linear(low, self.weight, self.bias).to(x.dtype)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(low, self.packed, self.bias, "none", [], "")
        return product.to(x.dtype)
