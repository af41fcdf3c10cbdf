"""One progress bar over the epochs: drawn ten times a second at most, and not at all into a file."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

PER_SECOND = 10
LINE_SECONDS = 30.0


class EpochProgress(ProgressBar):
    """Epochs done, the losses of the last one and the time that is left.

    Where the output is no terminal, a line every half minute says as much.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self._enabled = True
        self._said = time.monotonic()
        self._drawn = 0.0

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not (self._enabled and sys.stderr.isatty() and trainer.is_global_zero):
            return
        columns = (
            TextColumn("[bold]epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.fields[losses]}", markup=False),
            TimeRemainingColumn(),
        )
        # Refreshed by hand: rich's own thread would wake up in the middle of every small model's step.
        self.bar = Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
        self.bar.start()
        self.task = self.bar.add_task("fit", total=trainer.max_epochs, completed=trainer.current_epoch, losses="")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        done = trainer.current_epoch + (batch_idx + 1) / max(1, trainer.num_training_batches)
        now = time.monotonic()
        if self.bar is not None and self.task is not None and now - self._drawn > 1 / PER_SECOND:
            self._drawn = now
            self.bar.update(self.task, completed=round(done, 2), losses=self.losses(trainer))
            self.bar.refresh()
        elif self.bar is None and self._enabled and now - self._said > LINE_SECONDS:
            self._said = now
            log.info("epoch %.2f of %s  %s", done, trainer.max_epochs, self.losses(trainer))

    @staticmethod
    def losses(trainer: pl.Trainer) -> str:
        shown = ("train/loss", "val/loss", "val/acc", "val/bleu")
        metrics = trainer.callback_metrics
        return "  ".join(f"{name} {float(metrics[name]):.4f}" for name in shown if name in metrics)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.stop()

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
