"""Eigenvalues of matrices that are known by their products alone (Lanczos 1950; Golub & Van Loan 2013, §10.1).

After m steps H Q = Q T + β q eₘᵀ with Q orthonormal and T tridiagonal. An eigenpair (θ, s) of T is one of H up to the
residual ‖H Q s − θ Q s‖ = β |sₘ|, which bounds the distance of θ from an eigenvalue of H. Every new vector is
orthogonalised against all before it, twice, so that none returns by rounding. K matrices go side by side: each stops
where it would alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""`(K, P)` → `(K, P)`: v → H v of K symmetric matrices."""

CHECKS = 4
"""Steps from one look at the residuals to the next: small matrices' eigenvectors cost as much as a small net's step."""


@dataclass(frozen=True)
class Ritz:
    """What a Krylov space of m dimensions says of H."""

    values: Tensor
    """`(m,)` float64 θ, rising."""
    weights: Tensor
    """`(m,)` (s₁)², which sum to 1: a quadrature of the spectral density seen from the first vector."""
    residuals: Tensor
    """`(m,)` how far each θ can be from an eigenvalue of H."""

    def settled(self, tolerance: float, ends: tuple[int, ...]) -> bool:
        """Whether the values at the `ends` are known to `tolerance`, relative to the greatest magnitude."""
        return bool(self.residuals[list(ends)].max() <= tolerance * self.values.abs().max())


def lanczos(
    product: Product, start: Tensor, steps: int, tolerance: float = 0.0, ends: tuple[int, ...] = (0, -1)
) -> list[Ritz]:
    """At most `steps` steps from `start (K, P)`; a matrix is done sooner where its extreme values are known.

    Args:
        product: v → H v.
        start: any vectors but 0; what is orthogonal to one is never found.
        steps: products at most; P of them are enough.
        tolerance: residual of the extreme values, relative to the greatest magnitude; 0: all steps are done.
        ends: which of them: 0 the smallest, −1 the greatest.
    """
    steps = min(steps, start.shape[1])
    basis = start.new_empty(steps, *start.shape)
    basis[0] = start / torch.linalg.vector_norm(start, dim=1, keepdim=True)
    alphas, betas = start.new_zeros(2, steps, len(start), dtype=torch.float64, device="cpu")
    done: list[Ritz | None] = [None] * len(start)
    rounding = torch.finfo(start.dtype).eps
    for m in range(1, steps + 1):
        new = product(basis[m - 1])
        alphas[m - 1] = (new * basis[m - 1]).sum(1)
        for _ in range(2):
            along = (basis[:m] * new).sum(2, keepdim=True)
            new = new - (basis[:m] * along).sum(0)
        beta = torch.linalg.vector_norm(new, dim=1)
        betas[m - 1] = beta
        scale = torch.maximum(alphas[:m].abs().amax(0), betas[:m].amax(0))
        closed = betas[m - 1] <= rounding * scale  # the space is invariant: nothing lies beyond
        for k in range(len(start)):
            if done[k] is None and (bool(closed[k]) or m == steps or (tolerance and m % CHECKS == 0)):
                ritz = solve(alphas[:m, k], betas[:m, k])
                if bool(closed[k]) or m == steps or ritz.settled(tolerance, ends):
                    done[k] = ritz
        if all(ritz is not None for ritz in done):
            break
        basis[m] = new / torch.where(closed.to(beta.device), torch.inf, beta)[:, None]
    return [ritz for ritz in done if ritz is not None]


def solve(alphas: Tensor, betas: Tensor) -> Ritz:
    """The eigenvalues of T with `alphas (m,)` on its diagonal, `betas (m,)` beside it, of which the last is β."""
    tridiagonal = torch.diag(alphas) + torch.diag(betas[:-1], 1) + torch.diag(betas[:-1], -1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    return Ritz(values, vectors[0] ** 2, betas[-1] * vectors[-1].abs())
