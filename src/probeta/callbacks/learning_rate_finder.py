"""A learning rate from a range test before training (Smith 2017, arXiv 1506.01186)."""

from __future__ import annotations

import logging

import pytorch_lightning as pl
from pytorch_lightning.callbacks import LearningRateFinder as LightningFinder

from probeta.callbacks.checkpoint import random_states, set_random_states
from probeta.errors import ConfigError, check_whole

log = logging.getLogger(__name__)


class LearningRateFinder(LightningFinder):
    """Lightning's finder: the learning rate rises from `minimum` to `maximum` over `steps` steps, and the rate at
    the steepest descent of the loss is taken. Weights, optimizer and random states are then put back.
    """

    def __init__(self, minimum: float = 1e-6, maximum: float = 1.0, steps: int = 60) -> None:
        if not 0 < minimum < maximum:
            raise ConfigError.value("minimum", minimum, f"a rate above 0 and below maximum={maximum}")
        check_whole("steps", steps, 20)
        super().__init__(min_lr=minimum, max_lr=maximum, num_training_steps=steps, attr_name="learning_rate")
        self._progress_bar = False

    def lr_find(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        states, loggers = random_states(), trainer.loggers
        before = pl_module.learning_rate
        super().lr_find(trainer, pl_module)
        trainer.loggers = loggers
        set_random_states(states)
        log.info("Learning rate: %.3g found by the range test (was %.3g).", pl_module.learning_rate, before)
