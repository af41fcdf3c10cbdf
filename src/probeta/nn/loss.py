"""Cross-entropy over a vocabulary, without holding the logits of all words at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

ROWS = 512


class ProjectedCrossEntropy(torch.autograd.Function):
    """Sum of -log softmax(W x + b)[y] over rows, in chunks of rows; gradients are made on the way forward.

    With smoothing ε (Szegedy et al. 2016): the target distribution is (1 - ε) onehot + ε / V, as in
    `torch.nn.functional.cross_entropy`. Only one chunk of logits `(chunk, V)` lives at a time, and it is turned
    into its own gradient in place: softmax - target distribution.
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
    ) -> Tensor:
        wants = ctx.needs_input_grad[:3]
        n, vocab = features.shape[0], weight.shape[0]
        total = features.new_zeros(())
        d_features = torch.empty_like(features) if wants[0] else None
        d_weight = torch.zeros_like(weight) if wants[1] else None
        d_bias = torch.zeros_like(bias) if bias is not None and wants[2] else None
        for begin in range(0, n, chunk):
            rows = features[begin : begin + chunk]
            ids = targets[begin : begin + chunk, None]
            logits = F.linear(rows, weight, bias)
            top = logits.amax(1, keepdim=True)
            chosen = logits.gather(1, ids) - top
            mean = logits.mean(1, keepdim=True) - top if smoothing else chosen
            scaled = logits.sub_(top).exp_()
            norm = scaled.sum(1, keepdim=True)
            total += (norm.log() - (1 - smoothing) * chosen - smoothing * mean).sum()
            if not any(wants):
                continue
            delta = scaled.div_(norm)
            if smoothing:
                delta -= smoothing / vocab
            delta.scatter_add_(1, ids, delta.new_full(ids.shape, smoothing - 1.0))
            if d_features is not None:
                torch.mm(delta, weight, out=d_features[begin : begin + chunk])
            if d_weight is not None:
                d_weight.addmm_(delta.t(), rows)
            if d_bias is not None:
                d_bias += delta.sum(0)
        ctx.save_for_backward(d_features, d_weight, d_bias)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (*(None if g is None else g * grad for g in ctx.saved_tensors), None, None, None)


def plain_cross_entropy(
    logits: Tensor, targets: Tensor, pad_id: int, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """`(…, V)`, `(…)` → sum of the losses of real tokens, and their number. Runs under `torch.func.vmap`."""
    total = F.cross_entropy(
        logits.flatten(0, -2),
        targets.flatten(),
        ignore_index=pad_id,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
    return total, (targets != pad_id).sum()


def projected_cross_entropy(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    pad_id: int,
    label_smoothing: float = 0.0,
    chunk: int = ROWS,
) -> tuple[Tensor, Tensor]:
    """`features (…, F)`, `weight (V, F)`, `bias (V,)`, `targets (…)` → sum of losses, number of real tokens.

    Padding is left out before the product. Not for `torch.func.vmap` (its shapes follow the data) and once
    differentiable; `plain_cross_entropy` is both.
    """
    targets = targets.flatten()
    real = (targets != pad_id).nonzero()[:, 0]
    rows = features.flatten(0, -2).index_select(0, real)
    total: Tensor = ProjectedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        rows, weight, bias, targets.index_select(0, real), label_smoothing, chunk
    )
    return total, torch.tensor(real.shape[0], device=features.device)
