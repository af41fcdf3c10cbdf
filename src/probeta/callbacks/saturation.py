"""The share of activations, or of a ReLU's units, through which next to no gradient flows."""

from __future__ import annotations

from collections.abc import Callable

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from probeta.errors import ConfigError, check_whole
from probeta.models.module import Module
from probeta.nn.mlp import Activation

# From an output y: φ'(z) as a share of its greatest value.
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda y: 4 * y * (1 - y),
    "tanh": lambda y: 1 - y * y,
}


class Saturation(pl.Callback):
    """Logs `saturated/<layer>` over the training batches of every `every_n_epochs`-th epoch.

    Of sigmoid and tanh it is the share of activations whose slope is below `slope` times the steepest: at the default
    of 0.05 a tanh is saturated beyond ±0.975. A ReLU is flat for half of its inputs and does its work there: of its
    units it is the share that are 0 at every point of the epoch, and so learn nothing (dead units).
    """

    def __init__(self, slope: float = 0.05, every_n_epochs: int = 1) -> None:
        if not 0 < slope < 1:
            raise ConfigError.value("slope", slope, "a share, 0 < slope < 1")
        self.slope, self.every_n_epochs = slope, check_whole("every_n_epochs", every_n_epochs)
        self.active = False
        self.counts: dict[str, Tensor] = {}
        """Per layer `(2,)`: saturated activations, all."""
        self.fired: dict[str, Tensor] = {}
        """Per layer of ReLUs `(units,)`: whether it was above 0 at any point."""
        self._handles: list[RemovableHandle] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, module in pl_module.named_modules():
            if isinstance(module, Activation) and module.name in (*SLOPES, "relu"):
                layer = name.removeprefix("net.").removesuffix(".activation")
                self._handles.append(module.register_forward_hook(self._count(layer, SLOPES.get(module.name))))

    def _count(
        self, layer: str, slope: Callable[[Tensor], Tensor] | None
    ) -> Callable[[nn.Module, object, Tensor], None]:
        @torch.no_grad()
        def count(module: nn.Module, _: object, y: Tensor) -> None:
            if not self.active or not module.training:
                return
            if slope is None:
                fired = (y > 0).flatten(0, -2).any(0)
                self.fired[layer] = self.fired[layer] | fired if layer in self.fired else fired
            else:
                flat = (slope(y) < self.slope).sum()
                counted = torch.stack([flat, torch.tensor(y.numel(), device=y.device)])
                self.counts[layer] = self.counts.get(layer, 0) + counted

        return count

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.active = trainer.current_epoch % self.every_n_epochs == 0
        self.counts.clear()
        self.fired.clear()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.active = False
        assert isinstance(pl_module, Module)
        for layer, (flat, total) in self.counts.items():
            pl_module.epoch_metrics[f"saturated/{layer}"] = float(flat) / float(total)
        for layer, fired in self.fired.items():
            pl_module.epoch_metrics[f"saturated/{layer}"] = float((~fired).double().mean())

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
