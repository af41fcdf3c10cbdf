"""Eigenvalues of a matrix that is known by its products alone (Lanczos 1950; Golub & Van Loan 2013, §10.1).

After k steps H Q = Q T + β q eₖᵀ with Q orthonormal and T tridiagonal. An eigenpair (θ, s) of T is one of H up to the
residual ‖H Q s − θ Q s‖ = β |sₖ|, which bounds the distance of θ from an eigenvalue of H. Every new vector is
orthogonalised against all before it, twice, so that none returns by rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""`(P,)` → `(P,)`: v → H v of a symmetric H."""


@dataclass(frozen=True)
class Ritz:
    """What a Krylov space of k dimensions says of H."""

    values: Tensor
    """`(k,)` θ, rising."""
    weights: Tensor
    """`(k,)` (s₁)², which sum to 1: a quadrature of the spectral density seen from the first vector."""
    residuals: Tensor
    """`(k,)` how far each θ can be from an eigenvalue of H."""


def lanczos(product: Product, start: Tensor, steps: int, tolerance: float = 0.0) -> Ritz:
    """At most `steps` steps from `start (P,)`; ends sooner where both extreme values are known to `tolerance`.

    Args:
        product: v → H v.
        start: any vector but 0; what is orthogonal to it is never found.
        steps: products at most; P of them are enough.
        tolerance: residual of the smallest and of the greatest value, relative to the greatest magnitude.
    """
    basis = [start / torch.linalg.vector_norm(start)]
    alphas: list[Tensor] = []
    betas: list[Tensor] = []
    while True:
        new = product(basis[-1])
        alphas.append(new @ basis[-1])
        space = torch.stack(basis)
        for _ in range(2):
            new = new - space.T @ (space @ new)
        beta = torch.linalg.vector_norm(new)
        ritz = _solve(alphas, betas, beta)
        scale = ritz.values.abs().max()
        ended = beta <= torch.finfo(start.dtype).eps * scale
        if ended or len(alphas) >= min(steps, len(start)):
            return ritz
        if tolerance and ritz.residuals[[0, -1]].max() <= tolerance * scale:
            return ritz
        betas.append(beta)
        basis.append(new / beta)


def _solve(alphas: list[Tensor], betas: list[Tensor], beta: Tensor) -> Ritz:
    tridiagonal = torch.diag(torch.stack(alphas))
    if betas:
        beside = torch.stack(betas)
        tridiagonal += torch.diag(beside, 1) + torch.diag(beside, -1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    return Ritz(values, vectors[0] ** 2, beta * vectors[-1].abs())
