"""‖θ‖₂ of every layer and of all together: what weight decay acts on."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from probeta.callbacks.gradient_norm import layer_of
from probeta.errors import ConfigError
from probeta.models.module import Module


@torch.no_grad()
def weight_norms(module: nn.Module) -> dict[str, Tensor]:
    """L2 norm of each layer's parameters together, and `total`: `()` each."""
    named = [(layer_of(name), p.detach()) for name, p in module.named_parameters()]
    norms = torch._foreach_norm([p for _, p in named])
    layers: dict[str, list[Tensor]] = {}
    for (layer, _), norm in zip(named, norms, strict=True):
        layers.setdefault(layer, []).append(norm)
    result = {layer: torch.linalg.vector_norm(torch.stack(parts)) for layer, parts in layers.items()}
    return result | {"total": torch.linalg.vector_norm(torch.stack(list(norms)))}


class WeightNorm(pl.Callback):
    """Logs `weight_norm/<layer>` and `weight_norm/total` at the end of every `every_n_epochs`-th epoch."""

    def __init__(self, every_n_epochs: int = 1) -> None:
        if every_n_epochs < 1:
            raise ConfigError.value("every_n_epochs", every_n_epochs, "a whole number from 1")
        self.every_n_epochs = every_n_epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Module)
        if trainer.current_epoch % self.every_n_epochs == 0:
            norms = weight_norms(pl_module)
            pl_module.epoch_metrics.update({f"weight_norm/{layer}": norm for layer, norm in norms.items()})
