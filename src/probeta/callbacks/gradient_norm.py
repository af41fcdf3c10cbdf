"""‖∂L/∂θ‖₂ of every layer and of all together, before clipping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from probeta.errors import check_whole


def norms_by_layer(names: Iterable[str], norms: Sequence[Tensor]) -> dict[str, Tensor]:
    """From the norm of each parameter's gradient (or of its values) that of each layer's together, and `total`.

    `norms` are `()` each, or `(K,)` for the members of an ensemble, and so are the results. A layer is what owns
    the parameter: `net.hidden.0.linear.weight` belongs to `hidden.0.linear`.
    """
    layers: dict[str, list[Tensor]] = {}
    for name, norm in zip(names, norms, strict=True):
        layers.setdefault(name.removeprefix("net.").rpartition(".")[0] or name, []).append(norm)
    layers["total"] = list(norms)
    return {layer: torch.linalg.vector_norm(torch.stack(parts), dim=0) for layer, parts in layers.items()}


def gradient_norms(module: nn.Module) -> dict[str, Tensor]:
    """L2 norm of the gradient of each layer's parameters together, and `total`: `()` each."""
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    return norms_by_layer(gradients, torch._foreach_norm([*gradients.values()])) if gradients else {}


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
