"""What the callbacks that draw into TensorBoard share."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger


def is_due(trainer: pl.Trainer, every_n_epochs: int) -> bool:
    return (trainer.current_epoch + 1) % every_n_epochs == 0


def find_writer(trainer: pl.Trainer) -> Any:
    """TensorBoard's writer, or `None` where the run has none."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            return logger.experiment
    return None
