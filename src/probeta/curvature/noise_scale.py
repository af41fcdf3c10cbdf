"""How noisy the gradient of a batch is (McCandlish, Kaplan, Amodei et al. 2018, arXiv 1812.06162)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from probeta.curvature.loss import StackedLoss

CHUNK = 1 << 25
"""Numbers of gradients of single examples that are held at once."""


class NoiseScale(NamedTuple):
    """`(K,)` each, float64, over the n examples of a batch."""

    squared_norm: Tensor
    """|G|² of the true gradient, without bias: |ḡ|² − tr Σ / n."""
    variance: Tensor
    """tr Σ of the gradient of one example."""
    examples: int
    """n"""

    @property
    def critical_batch(self) -> Tensor:
        """The simple noise scale tr Σ / |G|² (eq. 2.9): below it, twice the batch nearly halves the steps needed.
        Infinite where the examples do not tell the gradient from 0."""
        return self.variance / self.squared_norm.clamp(min=0.0)

    def signal_to_noise(self, batch: int) -> Tensor:
        """|G|² over the variance tr Σ / B of the gradient of a batch of B."""
        return self.squared_norm.clamp(min=0.0) * batch / self.variance


def measure_noise(loss: StackedLoss, batch: Any, own: bool = False) -> NoiseScale:
    """From the gradients of single examples gᵢ, scaled so that their mean ḡ is the gradient of the batch.

    As estimated from two batch sizes (appendix A.1) with 1 and n. Batch norm takes its running statistics: with those
    of a batch no example has a gradient of its own.
    """
    n = tree_leaves(batch)[0].shape[int(own)]
    K, P = loss.flat.shape
    members = torch.arange(K, device=loss.flat.device)
    rows = max(1, CHUNK // (K * P))
    total = torch.zeros(K, P, dtype=torch.float64)
    squares, weight = torch.zeros(2, K, dtype=torch.float64)
    for start in range(0, n, rows):
        count = min(rows, n - start)
        each = tree_map(lambda x, start=start, count=count: split(x, K, start, count, own), batch)
        whose = members.repeat_interleave(count)
        point = loss.at(each, loss.flat.index_select(0, whose), own=True, members=whose, statistics=False)
        [gradients] = torch.autograd.grad(point.objective.sum(), point.flat)
        gradients = gradients.cpu().double().view(K, count, P)
        total += gradients.sum(1)
        squares += gradients.square().sum((1, 2))
        weight += point.weight.detach().cpu().double().view(K, count).sum(1)
    # gᵢ is n / Σ w times the gradient of its objective.
    mean_square = (total / weight[:, None]).square().sum(1)
    variance = (squares * (n / weight) ** 2 - n * mean_square) / (n - 1)
    return NoiseScale(mean_square - variance / n, variance, n)


def split(x: Tensor, members: int, start: int, count: int, own: bool) -> Tensor:
    """`count` examples as batches of one for each of the members: `(members * count, 1, …)`."""
    if own:
        return x[:, start : start + count].flatten(0, 1)[:, None]
    return x[start : start + count, None].repeat(members, *[1] * x.dim())
