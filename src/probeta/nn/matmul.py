"""Which library multiplies float32 matrices on the CPU, where that changes the time and not the numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch


@cache
def onednn_keeps_float32() -> bool:
    """Whether oneDNN's products stay float32 here when torch may hand them over.

    torch gives float32 products to oneDNN only together with the permission to round their inputs to bfloat16.
    Without matrix units (AMX), oneDNN does not use that permission; it is then a third faster than MKL on the
    processors that were measured. 1 + 2⁻¹² is a float32 number that bfloat16 rounds to 1.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    a = torch.full((64, 512), 1.0 + 2.0**-12)
    b = torch.ones(512, 512)
    with handed_over():
        product = torch.mm(a, b)
    return bool((product == 512.0 + 512.0 * 2.0**-12).all())


@contextmanager
def handed_over() -> Iterator[None]:
    """Permit oneDNN for float32 products, and put the old setting back."""
    settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


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
