"""Batch norm (Ioffe & Szegedy 2015) of all members' channels side by side, each with the same bits wherever it stands.

torch's CPU kernel computes the last channels, which do not fill a vector register, by another formula; it takes
another path for a gradient that does not lie row by row; and it divides the channels among threads when the batch
has no more rows than there are threads. Which channel is last, and in which thread's share, depends on how many
members there are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

LINE = 64
"""Bytes: a cache line, and the widest vector register."""


def forward(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    """`native_batch_norm` of `x (B, C, …)`, with channels padded to a whole cache line."""
    if training and has_few_rows(x):
        return forward_few_rows(x, weight, bias, mean, variance, momentum, eps)
    channels, more = x.shape[1], missing_channels(x)
    wide = [widen(t, more) for t in (weight, bias, mean, variance)]
    results = aten.native_batch_norm.default(widen(x.contiguous(), more, 1), *wide, training, momentum, eps)
    if training and more:
        for kept, new in zip((mean, variance), wide[2:], strict=True):
            if kept is not None and new is not None:
                kept.copy_(new[:channels])
    return results[0][:, :channels].contiguous(), *(t[:channels] for t in results[1:])


def backward(grad: Tensor, x: Tensor, *rest: Any) -> tuple[Tensor | None, ...]:
    """`native_batch_norm_backward`, padded likewise."""
    *tensors, training, eps, wanted = rest
    if training and has_few_rows(x):
        weight, _, _, mean, scale = tensors
        return backward_few_rows(grad, x, weight, mean, scale, wanted)
    channels, more = x.shape[1], missing_channels(x)
    wide = [widen(t, more) for t in tensors]
    both = [widen(t.contiguous(), more, 1) for t in (grad, x)]
    dx, *others = aten.native_batch_norm_backward.default(*both, *wide, training, eps, wanted)
    return (
        None if dx is None else dx[:, :channels].contiguous(),
        *(None if t is None else t[:channels] for t in others),
    )


def missing_channels(x: Tensor) -> int:
    """How many channels `x (B, C, …)` lacks to fill whole cache lines."""
    return -x.shape[1] % (LINE // x.element_size())


def widen(t: Tensor | None, more: int, dim: int = 0) -> Tensor | None:
    """`t` with `more` entries of 1 behind `dim`; statistics that do not exist (in evaluation) stay empty."""
    if t is None or not t.numel() or not more:
        return t
    shape = list(t.shape)
    shape[dim] = more
    return torch.cat([t, t.new_ones(shape)], dim)


# --- no more rows than threads: sums along the memory ------------------------------------------------------


def has_few_rows(x: Tensor) -> bool:
    """Whether the kernel would divide channels, not rows, among threads."""
    return x.dim() == 2 and x.device.type == "cpu" and len(x) <= torch.get_num_threads()


def forward_few_rows(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    """`x (B, C)` with the statistics of its own columns, which update `mean` and `variance (C,)`."""
    columns = x.t().contiguous()
    center = columns.mean(1)
    away = columns - center[:, None]
    spread = (away * away).mean(1)
    scale = (spread + eps).rsqrt()
    y = (away * scale[:, None]).t().contiguous()
    if weight is not None:
        y = y * weight
    if bias is not None:
        y = y + bias
    if mean is not None and variance is not None:
        mean.mul_(1 - momentum).add_(center * momentum)
        variance.mul_(1 - momentum).add_(spread * (momentum * len(x) / (len(x) - 1)))
    return y, center, scale


def backward_few_rows(
    grad: Tensor, x: Tensor, weight: Tensor | None, center: Tensor, scale: Tensor, wanted: list[bool]
) -> tuple[Tensor | None, ...]:
    """With x̂ the normalised x and g the gradient there, s (g − mean g − x̂ mean(g x̂)); and those of weight and bias."""
    columns, grads = x.t().contiguous(), grad.t().contiguous()
    normal = (columns - center[:, None]) * scale[:, None]
    g = grads if weight is None else grads * weight[:, None]
    dx = (g - g.mean(1)[:, None] - normal * (g * normal).mean(1)[:, None]) * scale[:, None]
    gradients = (dx.t().contiguous(), (grads * normal).sum(1), grads.sum(1))
    return tuple(t if asked else None for t, asked in zip(gradients, wanted, strict=True))
