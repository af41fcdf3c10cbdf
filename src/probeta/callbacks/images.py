"""What the callbacks that draw into TensorBoard share."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from probeta.errors import ConfigError


def check_interval(every_n_epochs: int) -> int:
    if every_n_epochs < 1:
        raise ConfigError.value("every_n_epochs", every_n_epochs, "a whole number of epochs from 1")
    return every_n_epochs


def due(trainer: pl.Trainer, every_n_epochs: int) -> bool:
    return (trainer.current_epoch + 1) % every_n_epochs == 0


def writer_of(trainer: pl.Trainer) -> Any:
    """TensorBoard's writer, or `None` where the run has none."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            return logger.experiment
    return None
