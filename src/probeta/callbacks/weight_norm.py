"""‖θ‖₂ of every layer and of all together: what weight decay acts on."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from probeta.callbacks.gradient_norm import norms_by_layer
from probeta.errors import check_whole
from probeta.models.module import Module


@torch.no_grad()
def weight_norms(module: nn.Module) -> dict[str, Tensor]:
    """L2 norm of each layer's parameters together, and `total`: `()` each."""
    return norms_by_layer(dict(module.named_parameters()))


class WeightNorm(pl.Callback):
    """Logs `weight_norm/<layer>` and `weight_norm/total` at the end of every `every_n_epochs`-th epoch."""

    def __init__(self, every_n_epochs: int = 1) -> None:
        self.every_n_epochs = check_whole("every_n_epochs", every_n_epochs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Module)
        if trainer.current_epoch % self.every_n_epochs == 0:
            norms = weight_norms(pl_module)
            pl_module.epoch_metrics.update({f"weight_norm/{layer}": norm for layer, norm in norms.items()})
