"""The trace of a matrix that is known by its products alone (Hutchinson 1990)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probeta.probes.lanczos import Product


def estimate_trace(product: Product, size: int, draws: int, generator: torch.Generator) -> tuple[float, float]:
    """tr H = E[vᵀ H v] with v of independent signs: the mean over `draws` vectors, and its standard error.

    Args:
        product: v → H v of a symmetric H of `size` rows.
        draws: vectors, from 2.
        generator: a CPU generator, of which the signs are drawn.
    """
    values = torch.stack([v @ product(v) for v in (draw_signs(size, generator) for _ in range(draws))]).double()
    return float(values.mean()), float(values.std()) / math.sqrt(draws)


def draw_signs(size: int, generator: torch.Generator) -> Tensor:
    """`(size,)` float64, 1 or −1 with equal probability."""
    return torch.randint(0, 2, (size,), generator=generator).double() * 2 - 1
