"""The trace of a matrix that is known by its products alone (Hutchinson 1990)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probeta.curvature.draws import Draws
from probeta.curvature.lanczos import Product


def estimate_trace(product: Product, draws: Draws, count: int) -> tuple[Tensor, Tensor]:
    """tr H = E[vᵀ H v] with v of independent signs: the mean over `count` vectors, and its standard error, `(K,)` each.

    Args:
        product: v → H v of K symmetric matrices.
        draws: where the signs come from.
        count: vectors, from 2.
    """
    signs = (draws.signs() for _ in range(count))
    values = torch.stack([(v * product(v)).sum(1) for v in signs]).double()
    return values.mean(0), values.std(0) / math.sqrt(count)
