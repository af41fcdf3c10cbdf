"""The decision boundary as a TensorBoard image while it forms."""

from __future__ import annotations

import pytorch_lightning as pl

from probeta.callbacks.images import find_writer, is_due
from probeta.errors import check_whole
from probeta.models.artifacts import boundary


class DecisionBoundary(pl.Callback):
    """Draws the boundary of a classifier of points in the plane every `every_n_epochs` epochs.

    Does nothing for other data. Evaluating a grid changes no weight and draws no random number.
    """

    draws = True

    def __init__(self, every_n_epochs: int = 100) -> None:
        self.every_n_epochs = check_whole("every_n_epochs", every_n_epochs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        splits = getattr(trainer.datamodule, "splits", None)  # type: ignore[attr-defined]
        writer = find_writer(trainer)
        if writer is None or not is_due(trainer, self.every_n_epochs):
            return
        if not splits or splits["train"].x.shape[1:] != (2,):
            return
        from probeta.figures.boundary import boundary_figure

        training = pl_module.training
        pl_module.eval()
        arrays = boundary(pl_module, splits, pl_module.device)
        pl_module.train(training)
        figure = boundary_figure(f"Decision boundary, epoch {trainer.current_epoch + 1}", **arrays)
        writer.add_figure("boundary", figure, trainer.global_step, close=False)
