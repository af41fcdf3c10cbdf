"""The edge of stability: the curvature above which an optimizer leaves a quadratic instead of descending it.

Gradient descent with momentum β, b ← β b + (1 − τ) g and θ ← θ − η b, is stable up to λ = 2 (1 + β) / (η (1 − τ)); with
Nesterov's momentum up to 2 (1 + β) / (η (1 + 2 β)) (Cohen, Kaur, Li, Kolter & Talwalkar 2021, arXiv 2103.00065, section
2 and appendix B). Adam is, up to 2 (1 + β₁) / (η (1 − β₁)), in the eigenvalues of its preconditioned Hessian
D^(−1/2) H D^(−1/2) with D = (1 − β₁ᵗ) (√v̂ + ε) (Cohen, Ghorbani, Krishnan et al. 2022, arXiv 2207.14484).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from probeta.curvature.lanczos import Product


@dataclass(frozen=True)
class Stability:
    """What K runs of an optimizer are stable up to, as it now stands."""

    edge: Tensor
    """`(K,)` float64."""
    decay: Tensor
    """`(K,)` what weight decay adds to every eigenvalue."""
    scale: Tensor | None = None
    """`(K, P)` D^(−1/2), where the optimizer preconditions."""

    def precondition(self, product: Product) -> Product:
        """v → D^(−1/2) H D^(−1/2) v."""
        scale = self.scale
        return product if scale is None else lambda v: scale * product(scale * v)


def find_stability(optimizer: Optimizer, stacked: bool = False) -> Stability | None:
    """Of SGD, Adam (with `amsgrad`, too) and AdamW of torch, or `stacked` for K members; `None` for another optimizer,
    and for Adam before its first step."""
    if not (stacked or isinstance(optimizer, SGD | Adam | AdamW)):
        return None  # NAdam and RMSprop have settings of the same names and other edges
    group: dict[str, Any] = optimizer.param_groups[0]
    states = [optimizer.state[p] for p in group["params"] if optimizer.state.get(p)]
    rate = column(group["lr"])
    if "momentum" in group:
        momentum, dampening = column(group["momentum"]), column(group["dampening"])
        nesterov = getattr(optimizer, "nesterov", group.get("nesterov"))
        edge = 2 * (1 + momentum) / (rate * (1 + 2 * momentum if nesterov else 1 - dampening * (momentum > 0)))
        return Stability(edge, column(group["weight_decay"]))
    if not states:
        return None
    beta1, beta2 = (column(group[f"beta{i + 1}"] if stacked else group["betas"][i]) for i in range(2))
    count = float(optimizer.count if stacked else states[0]["step"])  # type: ignore[attr-defined]
    kept = "max_exp_avg_sq" if group.get("amsgrad") else "exp_avg_sq"
    second = [state[kept] if stacked else state[kept][None] for state in states]
    flat = torch.cat([v.flatten(1) for v in second], 1)
    roots = (1 - beta2**count).sqrt().to(flat)[:, None]
    scale = (1 - beta1**count).to(flat)[:, None] * (flat.sqrt() / roots + column(group["eps"]).to(flat)[:, None])
    decay = torch.zeros_like(rate) if decouples(optimizer, group) else column(group["weight_decay"])
    if decay.any():  # the decay is preconditioned too, and no longer the same for every direction
        return None
    return Stability(2 * (1 + beta1) / (rate * (1 - beta1)), decay, scale.rsqrt())


def decouples(optimizer: Optimizer, group: dict[str, Any]) -> bool:
    """Whether weight decay acts on the weights, as AdamW's does, and not on the gradient."""
    return bool(getattr(optimizer, "decoupled", group.get("decoupled_weight_decay", False)))


def column(value: Any) -> Tensor:
    """`(K,)` float64 of a hyperparameter."""
    return torch.as_tensor(value, dtype=torch.float64).reshape(-1).cpu()
