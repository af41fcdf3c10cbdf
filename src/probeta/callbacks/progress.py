"""One progress bar over the epochs: drawn ten times a second at most, and not at all into a file."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a notebook without ipywidgets gets a bar of text, and needs no advice
    from tqdm.auto import tqdm

log = logging.getLogger(__name__)

PER_SECOND = 10
LINE_SECONDS = 30.0


class Bar(tqdm):
    """A bar at a terminal, a widget in a notebook that has them."""

    monitor_interval = 0  # no thread of tqdm's own, which would outlive the run


class EpochProgress(ProgressBar):
    """Epochs done, the losses of the last one and the time that is left.

    Where the output is neither a terminal nor a notebook, a line every half minute says as much.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bar: Bar | None = None
        self._enabled = True
        self._said = time.monotonic()
        self._drawn = 0.0

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._enabled and (sys.stderr.isatty() or in_notebook()) and trainer.is_global_zero:
            done, total = trainer.current_epoch, trainer.max_epochs
            total = total if total and total > 0 else None
            self.bar = Bar(desc="epoch", initial=done, total=total, leave=in_notebook(), dynamic_ncols=True)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        done = trainer.current_epoch + (batch_idx + 1) / max(1, trainer.num_training_batches)
        if self.bar is not None and now - self._drawn > 1 / PER_SECOND:
            self._drawn = now
            self.draw(trainer, round(done, 2))
        elif self.bar is None and self._enabled and now - self._said > LINE_SECONDS:
            self._said = now
            of = f" of {trainer.max_epochs}" if (trainer.max_epochs or 0) > 0 else ""
            log.info("epoch %.2f%s  %s", done, of, self.losses(trainer))

    def draw(self, trainer: pl.Trainer, done: float) -> None:
        assert self.bar is not None
        self.bar.n = done
        self.bar.set_postfix_str(self.losses(trainer), refresh=False)
        self.bar.refresh()

    @staticmethod
    def losses(trainer: pl.Trainer) -> str:
        shown = ("train/loss", "val/loss", "val/acc", "val/bleu")
        metrics = trainer.callback_metrics
        return "  ".join(f"{name} {float(metrics[name]):.4f}" for name in shown if name in metrics)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.bar is not None:
            self.draw(trainer, trainer.current_epoch)
        self.stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.stop()

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def in_notebook() -> bool:
    """Whether a Jupyter kernel shows what is written."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config
