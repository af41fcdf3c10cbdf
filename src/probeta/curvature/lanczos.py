"""Eigenvalues of matrices that are known by their products alone (Lanczos 1950; Golub & Van Loan 2013, §10.1).

After m steps H Q = Q T + β q eₘᵀ with Q orthonormal and T tridiagonal. An eigenpair (θ, s) of T is one of H up to the
residual ‖H Q s − θ Q s‖ = β |sₘ|, which bounds the distance of θ from an eigenvalue of H. Every new vector is
orthogonalised against all before it, a second time where the first cost it much of its length (Daniel, Gragg, Kaufman
& Stewart 1976), so that none returns by rounding. K matrices go side by side: each stops where it would alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""`(K, P)` → `(K, P)`: v → H v of K symmetric matrices."""

CHECKS = 2
"""Steps from one look at the residuals to the next: small matrices' eigenvectors cost as much as a small net's step."""

SHORT = 2048
"""Vectors below this length are multiplied for all K at once; longer ones would no longer stay in a cache."""

KEPT = 0.5**0.5
"""Of its length what a vector has to keep to be orthogonal after one pass."""


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
    basis = start.new_empty(len(start), steps, start.shape[1])
    basis[:, 0] = start / torch.linalg.vector_norm(start, dim=1, keepdim=True)
    alphas, betas = start.new_zeros(2, len(start), steps, dtype=torch.float64, device="cpu")
    done: list[Ritz | None] = [None] * len(start)
    beta = start.new_zeros(len(start))
    rounding = torch.finfo(start.dtype).eps
    for m in range(1, steps + 1):
        last = basis[:, m - 1]
        new = product(last)
        alpha = (new * last).sum(1, keepdim=True)
        new = new - alpha * last - beta[:, None] * basis[:, max(m - 2, 0)]
        new, beta = orthogonalise(new, basis[:, :m])
        alphas[:, m - 1] = alpha[:, 0]
        betas[:, m - 1] = beta
        scale = torch.maximum(alphas.abs().amax(1), betas.amax(1))
        closed = betas[:, m - 1] <= rounding * scale  # the space is invariant: nothing lies beyond
        ends_now = any(bool(c) and ritz is None for c, ritz in zip(closed, done, strict=True))
        if ends_now or m == steps or (tolerance and m % CHECKS == 0):
            for k, ritz in enumerate(solve(alphas[:, :m], betas[:, :m])):
                if done[k] is None and (bool(closed[k]) or m == steps or ritz.settled(tolerance, ends)):
                    done[k] = ritz
            if all(ritz is not None for ritz in done):
                break
        basis[:, m] = new / torch.where(closed.to(beta.device), torch.inf, beta)[:, None]
    return [ritz for ritz in done if ritz is not None]


def orthogonalise(vectors: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """`vectors (K, P)` less what lies along the rows of `basis (K, m, P)`, and their lengths `(K,)`.

    What this leaves is orthogonal but for rounding, which grows where a vector gets much shorter: that goes again.
    """
    whole = torch.linalg.vector_norm(vectors, dim=1)
    rest = subtract(vectors, basis)
    length = torch.linalg.vector_norm(rest, dim=1)
    again = length < KEPT * whole
    if again.any():
        rest = torch.where(again[:, None], subtract(rest, basis), rest)
        length = torch.linalg.vector_norm(rest, dim=1)
    return rest, length


def subtract(vectors: Tensor, basis: Tensor) -> Tensor:
    """v − Qᵀ Q v of each of the `vectors (K, P)` and the rows Q of its `basis (K, m, P)`."""
    if vectors.shape[1] < SHORT:
        return vectors - (basis * (basis * vectors[:, None]).sum(2, keepdim=True)).sum(1)
    pairs = zip(basis, vectors, strict=True)
    return torch.stack([torch.addmv(v, rows.T, torch.mv(rows, v), alpha=-1) for rows, v in pairs])


def solve(alphas: Tensor, betas: Tensor) -> list[Ritz]:
    """The eigenvalues of each T: `alphas (K, m)` on its diagonal, `betas (K, m)` beside it, of which the last is β."""
    tridiagonal = torch.diag_embed(alphas) + torch.diag_embed(betas[:, :-1], 1) + torch.diag_embed(betas[:, :-1], -1)
    values, vectors = torch.linalg.eigh(tridiagonal)
    residuals = betas[:, -1:] * vectors[:, -1].abs()
    return [Ritz(*of_one) for of_one in zip(values, vectors[:, 0] ** 2, residuals, strict=True)]
