"""What an optimizer's step met: the curvature along it, and where on the parabola of the loss it ended."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from probeta.curvature.loss import Point

POWERS = ((1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0), (0.0, 1.0, 2.0))
"""Loss at both ends, slope at both ends, of w₀ + w₁ t + w₂ t² at t = 0 and 1."""


class StepCurvature(NamedTuple):
    """`(K,)` each."""

    sharpness: Tensor
    """dᵀ H d / dᵀ d of the step d, where it began."""
    alpha: Tensor
    """−1: the step stayed where it began, 0: it ended in the parabola's minimum, 1: as far beyond. Where the parabola
    has none, it is infinitely far ahead: −1."""


def measure_step(before: Point, after: Point) -> StepCurvature:
    """From the losses and gradients before and after a step.

    The parabola is fitted to both losses and both slopes along the step by least squares: `alpha` of cockpit
    (Schneider, Dangel & Hennig 2021, arXiv 2102.06604, section 3.1), without its noise.
    """
    step = after.flat.detach() - before.flat.detach()
    length = step.square().sum(1)
    sharpness = (step * before.hessian(step)).sum(1) / length
    slopes = [(point.gradient.detach() * step).sum(1) for point in (before, after)]
    seen = torch.stack([before.loss.detach(), after.loss.detach(), *slopes], 1).double()
    fitted = seen @ torch.linalg.pinv(torch.tensor(POWERS, dtype=torch.float64, device=seen.device)).T
    minimum = -fitted[:, 1] / (2 * fitted[:, 2])
    alpha = torch.where(fitted[:, 2] > 0, (1 - minimum) / minimum.abs(), -1.0)
    return StepCurvature(sharpness.double(), alpha)
