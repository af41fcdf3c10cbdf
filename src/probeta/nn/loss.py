"""Cross-entropy over a vocabulary."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from probeta.nn.cpu import handwritten
from probeta.nn.cpu.loss import ROWS, sum_projected_losses


def plain_cross_entropy(
    logits: Tensor, targets: Tensor, pad_id: int, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Σ -log softmax(logits)[y]: `(…, V)`, `(…)` → the sum of the losses of real tokens, and their number.

    With smoothing ε (Szegedy et al. 2016, arXiv 1512.00567, section 7) the target distribution is
    (1 - ε) onehot(y) + ε / V. Runs under `torch.func.vmap`.
    """
    total = F.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), ignore_index=pad_id, reduction="sum", label_smoothing=label_smoothing
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
    """`plain_cross_entropy` of the logits W x + b: `features (…, F)`, `weight (V, F)`, `bias (V,)`, `targets (…)`.

    Where `nn.cpu` is at work, it leaves padding out before the product, holds the logits of `chunk` rows at a time,
    and is only once differentiable.
    """
    if not handwritten():
        return plain_cross_entropy(F.linear(features, weight, bias), targets, pad_id, label_smoothing)
    targets = targets.flatten()
    real = (targets != pad_id).nonzero()[:, 0]
    rows = features.flatten(0, -2).index_select(0, real)
    total = sum_projected_losses(rows, weight, bias, targets.index_select(0, real), label_smoothing, chunk)
    return total, torch.tensor(real.shape[0], device=features.device)
