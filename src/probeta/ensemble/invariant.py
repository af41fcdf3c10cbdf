"""Kernels whose result for a member does not depend on where in the batch, or beside whom, it is computed.

Most of torch's CPU kernels are such; measured were these exceptions. `sigmoid` (and `gelu` in double precision)
computes the end of an array, which does not fill a vector register, by another formula, and so does batch norm
with its last channels. A batched product chooses its path by the address of each matrix, so a member's changes
with its place unless matrices begin at multiples of 64 bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

LINE = 64
"""Bytes: a cache line, and the widest vector register."""

SMALL = 400
"""Below this many multiplications a product is a plain loop over its elements."""


class Invariant(TorchDispatchMode):
    """Inside, the exceptions are computed by invariant means; everything else as ever."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        replacement = REPLACED.get(func)
        if replacement is not None and not kwargs and (found := replacement(*args)) is not None:
            return found
        return func(*args, **(kwargs or {}))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^(−x))."""
    return (torch.neg(x).exp() + 1).reciprocal()


def gelu(x: Tensor) -> Tensor | None:
    """x Φ(x) in double precision."""
    return x * normal_distribution(x) if x.dtype == torch.float64 else None


def gelu_backward(grad: Tensor, x: Tensor) -> Tensor | None:
    """Φ(x) + x φ(x), times the gradient, in double precision."""
    if x.dtype != torch.float64:
        return None
    density = (x * x * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
    return grad * (normal_distribution(x) + x * density)


def normal_distribution(x: Tensor) -> Tensor:
    return (torch.erf(x * math.sqrt(0.5)) + 1) * 0.5


def product(a: Tensor, b: Tensor) -> Tensor | None:
    """`a (K, n, k) @ b (K, k, m)`, padded with zeros to whole cache lines where a matrix would not fill them."""
    n, k, m = a.shape[1], a.shape[2], b.shape[2]
    per_line = LINE // a.element_size()
    # A matrix that all members share is at one address.
    ragged = [n * k * bool(a.stride(0)), k * m * bool(b.stride(0)), n * m]
    if n * k * m < SMALL or not any(size % per_line for size in ragged):
        return None
    more_k, more_m = -k % per_line, -m % per_line
    whole = torch.bmm(F.pad(a, (0, more_k)), F.pad(b, (0, more_m, 0, more_k)))
    return whole[:, :, :m].contiguous() if more_m else whole


def batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...] | None:
    """`x (B, C, …)` with channels added up to a whole cache line, so that no real one is among the last."""
    channels = x.shape[1]
    if not (more := missing(x)):
        return None
    wide = [widened(t, more) for t in (weight, bias, mean, variance)]
    found = aten.native_batch_norm.default(widened(x, more, 1), *wide, training, momentum, eps)
    if training:
        for kept, new in zip((mean, variance), wide[2:], strict=True):
            if kept is not None and new is not None:
                kept.copy_(new[:channels])
    return found[0][:, :channels].contiguous(), *(t[:channels] for t in found[1:])


def batch_norm_backward(grad: Tensor, x: Tensor, *rest: Any) -> tuple[Tensor | None, ...] | None:
    """The gradients of `batch_norm`, by the same means."""
    *tensors, training, eps, wanted = rest
    channels = x.shape[1]
    if not (more := missing(x)):
        return None
    wide = [widened(t, more) for t in tensors]
    found = aten.native_batch_norm_backward.default(
        widened(grad, more, 1), widened(x, more, 1), *wide, training, eps, wanted
    )
    dx, *others = found
    return (
        None if dx is None else dx[:, :channels].contiguous(),
        *(None if t is None else t[:channels] for t in others),
    )


def missing(x: Tensor) -> int:
    """Channels of `x (B, C, …)` that lack to a whole cache line."""
    return -x.shape[1] % (LINE // x.element_size())


def widened(t: Tensor | None, more: int, dim: int = 0) -> Tensor | None:
    """`t` with `more` entries of 1 behind `dim`; those of a statistic nobody has (in evaluation) are empty."""
    if t is None or not t.numel():
        return t
    shape = list(t.shape)
    shape[dim] = more
    return torch.cat([t, t.new_ones(shape)], dim)


REPLACED: dict[Any, Callable[..., Any]] = {
    aten.native_batch_norm.default: batch_norm,
    aten.native_batch_norm_backward.default: batch_norm_backward,
    aten.sigmoid.default: sigmoid,
    aten.gelu.default: gelu,
    aten.gelu_backward.default: gelu_backward,
    aten.bmm.default: product,
}
