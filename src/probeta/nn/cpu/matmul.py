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

from probeta.nn.cpu import enabled, handwritten
from probeta.nn.cpu.private import pack, packed_linear


class HandedOver:
    """Permission for oneDNN to compute float32 products. It is the process's: the last of several threads ends it."""

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
    On processors without matrix units (AMX) oneDNN does not use that permission, and was measured a third faster than
    MKL. 1 + 2⁻¹² is a float32 number that bfloat16 rounds to 1.
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
    if enabled() and onednn_keeps_float32():
        with handed_over():
            yield
    else:
        yield


def product_dtype(device: str) -> torch.dtype | None:
    """The dtype in which autocast wants matrix products, or `None`."""
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def apply_rounded(function: type[torch.autograd.Function], device: torch.device, *arguments: Any) -> Any:
    """`function` of `arguments` and `product_dtype`, where autocast changes nothing else: what it does not list keeps
    its dtype, and so do results written to a given tensor."""
    low = product_dtype(device.type)
    with torch.autocast(device.type, enabled=False):
        return function.apply(*arguments, low)


SMALL = 1 << 23
"""Multiplications below which a product takes less time than choosing its library."""

PACKED = 1 << 16
"""Elements from which on packing a weight pays."""


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
    if small or not handwritten():
        return F.linear(x, weight, bias)
    if product_dtype(x.device.type) is not None:
        # Given a non-contiguous x (B, T, I), torch's matmul copies the weight B times.
        return F.linear(x.flatten(0, -2), weight, bias).unflatten(0, x.shape[:-1])
    result: Tensor = FastLinear.apply(x, weight, bias)
    return result


class Product:
    """`x (…, I)` → `x Wᵀ + b` for weights that many products read and none changes, as in a search.

    oneDNN reads a packed weight faster: packing it once saves a tenth of a product of 64 rows and half of one of 8. A
    packed product has no gradient. Made under autocast, it multiplies in autocast's dtype from then on; the result has
    `x`'s dtype. Where packing does not apply, this is torch's own product.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        low = product_dtype(weight.device.type) or weight.dtype
        self.weight, self.bias = weight.to(low), None if bias is None else bias.to(low)
        pays = weight.numel() >= PACKED and not torch.is_grad_enabled()
        self.packed = pack(self.weight) if pays and handwritten() else None

    def __call__(self, x: Tensor) -> Tensor:
        return packed_linear(x.to(self.weight.dtype), self.weight, self.packed, self.bias).to(x.dtype)
