"""Products with the Hessian of a loss, without the matrix (Pearlmutter 1994, "Fast exact multiplication")."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class HessianProduct:
    """v → H v with H = ∂²L/∂θ², `(P,)` → `(P,)`: the gradient of gᵀ v, where g = ∂L/∂θ keeps its graph.

    Args:
        loss: `()`, computed by operations that can be differentiated twice.
        parameters: θ, P numbers in all; one that the loss does not depend on has rows of zeros.
    """

    def __init__(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        gradients = torch.autograd.grad(loss, self.parameters, create_graph=True, materialize_grads=True)
        self.gradient = flatten(gradients)

    def __len__(self) -> int:
        return len(self.gradient)

    def __call__(self, v: Tensor) -> Tensor:
        products = torch.autograd.grad(
            self.gradient, self.parameters, v.to(self.gradient), retain_graph=True, materialize_grads=True
        )
        return flatten(products).to(v)


def flatten(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([t.reshape(-1) for t in tensors])
