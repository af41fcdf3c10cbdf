"""The learning rate of every epoch, beside its losses."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl


class LearningRate(pl.Callback):
    """Logs `lr`, or `lr/<group>` where an optimizer has several parameter groups, as used in the epoch's last step."""

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: object) -> None:
        # Read before the step: after it, the schedule has already set the next step's rate.
        groups = optimizer.param_groups  # type: ignore[attr-defined]
        names = ["lr"] if len(groups) == 1 else [f"lr/{i}" for i in range(len(groups))]
        metrics: Any = pl_module.epoch_metrics
        metrics.update({name: float(g["lr"]) for name, g in zip(names, groups, strict=True)})
