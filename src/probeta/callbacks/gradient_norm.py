"""‖∂L/∂θ‖₂ of every layer and of all together, before clipping."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from probeta.errors import ConfigError


def layer_of(parameter: str) -> str:
    """`net.hidden.0.linear.weight` → `hidden.0.linear`."""
    name = parameter.removeprefix("net.").rpartition(".")[0]
    return name or parameter


def gradient_norms(module: nn.Module) -> dict[str, Tensor]:
    """L2 norm of the gradient of each layer's parameters together, and `total`: `()` each."""
    named = [(name, p.grad) for name, p in module.named_parameters() if p.grad is not None]
    if not named:
        return {}
    norms = torch._foreach_norm([grad for _, grad in named])
    layers: dict[str, list[Tensor]] = {}
    for (name, _), norm in zip(named, norms, strict=True):
        layers.setdefault(layer_of(name), []).append(norm)
    result = {layer: torch.linalg.vector_norm(torch.stack(parts)) for layer, parts in layers.items()}
    return result | {"total": torch.linalg.vector_norm(torch.stack(list(norms)))}


class GradientNorm(pl.Callback):
    """Logs `grad_norm/<layer>` and `grad_norm/total` of every `every_n_steps`-th step, before clipping."""

    def __init__(self, every_n_steps: int = 10) -> None:
        if every_n_steps < 1:
            raise ConfigError.value("every_n_steps", every_n_steps, "a whole number from 1")
        self.every_n_steps = every_n_steps

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: object) -> None:
        if trainer.global_step % self.every_n_steps:
            return
        norms = gradient_norms(pl_module)
        metrics: Any = pl_module.epoch_metrics
        metrics.update({f"grad_norm/{layer}": norm for layer, norm in norms.items()})
