"""Cross-entropy over a vocabulary, without holding the logits of all words at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from probeta.nn.cpu.matmul import apply_rounded, fast_float32

ROWS = 512
"""Rows of logits that live at the same time."""


def loss_and_gradient(logits: Tensor, ids: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """Logits `(n, V)` (overwritten), targets `(n, 1)` → Σ losses, its gradient: softmax - target distribution."""
    target = logits.gather(1, ids)
    mean = logits.mean(1, keepdim=True) if smoothing else target
    top = logits.amax(1, keepdim=True)
    norm = logits.sub_(top).exp_().sum(1, keepdim=True)
    losses = (norm.log() + top - (1 - smoothing) * target - smoothing * mean).sum()
    delta = logits.div_(norm)
    if smoothing:
        delta -= smoothing / delta.shape[1]
    delta.scatter_add_(1, ids, delta.new_full(ids.shape, smoothing - 1.0))
    return losses, delta


def add_product(total: Tensor | None, a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    """`total + a b` in `dtype`, in place; in one step where the factors have it too."""
    if total is None:
        return torch.mm(a, b).to(dtype)
    return total.addmm_(a, b) if a.dtype == dtype else total.add_(torch.mm(a, b))


class ProjectedCrossEntropy(torch.autograd.Function):
    """Sum of -log softmax(W x + b)[y] over rows, in chunks of rows; the forward pass makes the gradients.

    With smoothing ε (Szegedy et al. 2016): the target distribution is (1 - ε) onehot + ε / V, as in
    `torch.nn.functional.cross_entropy`. Only one chunk of logits `(chunk, V)` lives at a time, and it is turned
    into its own gradient in place. Under autocast the three products run in its dtype, the rest in float32.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
        chunk: int,
        differentiable: bool,
        low: torch.dtype | None,
    ) -> Tensor:
        wants = [differentiable and wanted for wanted in ctx.needs_input_grad[:3]]
        low = low or weight.dtype
        matrix, rows = weight.to(low), features.to(low)
        offset = None if bias is None else bias.to(low)
        total = weight.new_zeros(())
        d_features = torch.empty_like(rows) if wants[0] else None
        d_weight: Tensor | None = None
        d_bias = torch.zeros_like(bias) if bias is not None and wants[2] else None
        with fast_float32():
            for begin in range(0, rows.shape[0], chunk):
                part, ids = rows[begin : begin + chunk], targets[begin : begin + chunk, None]
                losses, delta = loss_and_gradient(F.linear(part, matrix, offset).to(weight.dtype), ids, smoothing)
                total += losses
                if d_bias is not None:
                    d_bias += delta.sum(0)
                if any(wants):
                    delta = delta.to(low)
                if d_features is not None:
                    torch.mm(delta, matrix, out=d_features[begin : begin + chunk])
                if wants[1]:
                    d_weight = add_product(d_weight, delta.t(), part, weight.dtype)
        if wants[1] and d_weight is None:
            d_weight = torch.zeros_like(weight)
        ctx.save_for_backward(d_features, d_weight, d_bias)
        ctx.dtype = features.dtype
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # In place: a second pass over the same graph is refused by autograd's own check.
        d_features, d_weight, d_bias = (None if g is None else g.mul_(grad) for g in ctx.saved_tensors)
        return None if d_features is None else d_features.to(ctx.dtype), d_weight, d_bias, None, None, None, None, None


def sum_projected_losses(
    features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float, chunk: int
) -> Tensor:
    """`ProjectedCrossEntropy` of `features (n, F)`, `weight (V, F)`, `bias (V,)`, `targets (n,)`."""
    total: Tensor = apply_rounded(
        ProjectedCrossEntropy,
        features.device,
        features,
        weight,
        bias,
        targets,
        smoothing,
        chunk,
        torch.is_grad_enabled(),
    )
    return total
