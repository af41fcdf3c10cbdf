"""Keep the weights that validated best, and stop when nothing better has come for a while."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from probeta.errors import ConfigError, check_whole_or_null
from probeta.metrics.direction import Mode, resolve_mode

log = logging.getLogger(__name__)


class EarlyStopping(Checkpoint):
    """An improvement is a change of `monitor` by more than `min_delta` in the direction `mode` (Prechelt 1998);
    `auto` is the one in which `monitor` is better.

    After `patience` epochs without one, training stops; epochs in which it is not measured (a translator
    decodes every n-th, validation may be rarer) do not count. The weights of the last improvement are kept in
    memory and put back when training ends, so they are what is tested and saved as `best`. With `patience=None`
    it does nothing: the last weights are the result.

    A subclass of Lightning's `Checkpoint` only because those are called after the epoch's metrics are in.
    """

    def __init__(
        self,
        monitor: str = "val/loss",
        mode: Mode = "auto",
        patience: int | None = 20,
        min_delta: float = 1e-4,
    ) -> None:
        check_whole_or_null("patience", patience, meaning="for no stopping")
        if min_delta < 0:
            raise ConfigError.value("min_delta", min_delta, "a number from 0")
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.mode = resolve_mode(monitor, mode)
        self.best = -math.inf if self.mode == "max" else math.inf
        self.best_epoch = -1
        self.waited = 0
        self.weights: dict[str, Tensor] | None = None

    @property
    def active(self) -> bool:
        return self.patience is not None

    def improves(self, value: float) -> bool:
        return value > self.best + self.min_delta if self.mode == "max" else value < self.best - self.min_delta

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.active:
            return
        value = trainer.callback_metrics.get(self.monitor)
        if value is None:
            logged = getattr(pl_module, "logged", None)
            if logged is not None and self.monitor in logged():
                return  # not measured in this epoch: neither an improvement nor a failure to improve
            known = sorted(name for name in trainer.callback_metrics if "/" in name)
            raise ConfigError.unknown("metric", self.monitor, known)
        if self.observe(float(value), trainer.current_epoch):
            self.keep(pl_module)
        elif self.exhausted:
            trainer.should_stop = True
            log.info(self.describe_stop(trainer.current_epoch))

    def observe(self, value: float, epoch: int) -> bool:
        """Take in the epoch's `monitor`; whether it is an improvement, whose weights are to be kept."""
        if self.improves(value):
            self.best, self.best_epoch = value, epoch
            self.waited = 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether training is to stop."""
        return self.patience is not None and self.waited >= self.patience

    def describe_stop(self, epoch: int) -> str:
        """Why training stopped after `epoch`."""
        since = f"{self.best:.4g} (epoch {self.best_epoch + 1}) for {self.waited} epochs"
        return f"Stopped after epoch {epoch + 1}: {self.monitor} has not improved on {since}."

    @torch.no_grad()
    def keep(self, pl_module: pl.LightningModule) -> None:
        """Copy the weights; into the last copy's memory, since small models improve at most epochs."""
        now = pl_module.state_dict()
        if self.weights is None:
            self.weights = {name: value.detach().clone() for name, value in now.items()}
            return
        for name, value in now.items():
            self.weights[name].copy_(value)

    def restore(self, pl_module: pl.LightningModule) -> None:
        """Put the best weights back; nothing where none were kept."""
        if self.weights is not None:
            pl_module.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        names = ("best", "best_epoch", "waited", "weights")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in self.state_dict():
            setattr(self, name, state_dict[name])
