"""‖∂L/∂θ‖₂ of every layer and of all together, before clipping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from probeta.errors import check_whole


def norms_by_layer(tensors: Mapping[str, Tensor], per_member: bool = False) -> dict[str, Tensor]:
    """L2 norm of each layer's parameters (or their gradients) together, and `total`.

    A layer is what owns the parameter: `net.hidden.0.linear.weight` belongs to `hidden.0.linear`. Squares are summed
    in double precision and the root is rounded once, so that it does not depend on the order of the sum.

    Args:
        tensors: by the parameter's name.
        per_member: whether they are `(K, …)` of the members of an ensemble; then the norms are `(K,)` instead of `()`.
    """
    layers: dict[str, list[Tensor]] = {}
    for name, tensor in tensors.items():
        flat = tensor.reshape(len(tensor), -1) if per_member else tensor.flatten()
        wide = tensor.dtype if tensor.device.type == "mps" else torch.float64  # which has none
        norm = torch.linalg.vector_norm(flat, dim=-1, dtype=wide)
        layers.setdefault(name.removeprefix("net.").rpartition(".")[0] or name, []).append(norm)
    layers["total"] = [norm for norms in layers.values() for norm in norms]
    native = next(iter(tensors.values())).dtype
    return {layer: torch.linalg.vector_norm(torch.stack(norms), dim=0).to(native) for layer, norms in layers.items()}


def gradient_norms(module: nn.Module) -> dict[str, Tensor]:
    """L2 norm of the gradient of each layer's parameters together, and `total`: `()` each."""
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    return norms_by_layer(gradients) if gradients else {}


class GradientNorm(pl.Callback):
    """Logs `grad_norm/<layer>` and `grad_norm/total` of every `every_n_steps`-th step, before clipping."""

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = check_whole("every_n_steps", every_n_steps)

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: object) -> None:
        if trainer.global_step % self.every_n_steps:
            return
        norms = gradient_norms(pl_module)
        metrics: Any = pl_module.epoch_metrics
        metrics.update({f"grad_norm/{layer}": norm for layer, norm in norms.items()})
