"""Signals during training are answered between two batches, when everything is in order."""

from __future__ import annotations

import signal
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint as LightningCheckpoint

from probeta.callbacks.checkpoint import Checkpoint, any_rank, is_between_steps
from probeta.runs.signals import Signals


class Interruption(LightningCheckpoint):
    """When a signal has come: write the last checkpoint, then end the run by raising `Interrupted`.

    Lightning puts a handler of its own over ours for SIGTERM, which ends the process with status 0 and without a
    checkpoint: it is taken back when each stage starts.

    A subclass of Lightning's `Checkpoint` only to be called after ours.
    """

    def __init__(self, signals: Signals, checkpoint: Checkpoint | None) -> None:
        self.signals, self.checkpoint = signals, checkpoint

    def answer(self, trainer: pl.Trainer) -> None:
        # Ranks must leave at the same batch, or the others wait for them forever.
        if any_rank(trainer, self.signals.received is not None):
            self.signals.received = self.signals.received or signal.SIGTERM
            if self.checkpoint is not None:
                self.checkpoint.save(trainer)
            self.signals.check()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.take_back()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.take_back()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # The epoch's last batch is left to the epoch's end: between them validation would run twice.
        if batch_idx + 1 < trainer.num_training_batches and is_between_steps(trainer, batch_idx):
            self.answer(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.answer(trainer)
