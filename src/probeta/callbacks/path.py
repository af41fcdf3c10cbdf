"""The weights that a run goes through, for pictures of its path over the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from probeta.curvature.draws import Draws
from probeta.curvature.landscape import (
    ROUGHNESS,
    SHORTEST,
    check_points,
    measure_path,
    measure_random,
    measure_roughness,
)
from probeta.curvature.loss import StackedLoss, first_examples, flatten_trained
from probeta.errors import ConfigError, check_whole, check_whole_or_null
from probeta.models.module import Module
from probeta.runs.artifacts import Artifacts

DIRECTIONS = 0
"""Seed of the planes' random directions: one for every run, so that nothing depends on history."""


class WeightPath(pl.Callback):
    """Keeps the trained weights of every n-th epoch from the start (epoch 0) on, in the run's `artifacts/path.npz`.

    No more than `most`: where there would be more, every second is dropped and n doubles, so a path of any length takes
    `most` times the weights. With `points`, two planes of the training loss around the kept weights are measured when
    training has ended (`artifacts/landscape.npz`; `probeta.curvature.landscape`): one of random directions, and the one
    along which the path went. It draws no random number of the run's.

    Args:
        every_n_epochs: n to begin with, from 1.
        most: weights kept, from 3.
        points: of the planes, along each side, an odd number from 5; null: none is measured.
        extent: how far the random plane goes, in lengths of the weights' filters.
        examples: of the training data that its loss is of; null: all.
    """

    def __init__(
        self,
        every_n_epochs: int = 1,
        most: int = 50,
        points: int | None = None,
        extent: float = 1.0,
        examples: int | None = 256,
    ) -> None:
        self.every = check_whole("every_n_epochs", every_n_epochs)
        self.most = check_whole("most", most, SHORTEST)
        self.points = None if points is None else check_points("points", points)
        if not 0 < extent < float("inf"):
            raise ConfigError.value("extent", extent, "a number above 0")
        self.extent = extent
        self.examples = check_whole_or_null("examples", examples, 2, "for all of them")
        self.kept: dict[int, Tensor] = {}

    def keep(self, epoch: int, weights: Tensor) -> None:
        """Take `weights (P,)` after `epoch` epochs, where they are of those that are kept."""
        if epoch % self.every == 0:
            self.kept[epoch] = weights.detach().cpu().clone()
        if len(self.kept) > self.most:
            self.every *= 2
            self.kept = {e: w for e, w in self.kept.items() if e % self.every == 0}

    def reported(self) -> set[str]:
        """The metrics that `finish` adds to a run's."""
        return set() if self.points is None else set(ROUGHNESS)

    def finish(self, model: Module, data: Any, artifacts: Artifacts) -> dict[str, float]:
        """Write what is known of the path of a run whose kept weights are in `model`; returns its metrics."""
        epochs, path = np.array(list(self.kept)), torch.stack(list(self.kept.values()))
        artifacts.write({"path": {"epoch": epochs, "weights": path.numpy()}})
        if self.points is None:
            return {}
        dtype = torch.float32 if model.device.type == "mps" else torch.float64
        loss = StackedLoss.of([model], dtype)
        batch = tree_map(lambda x: x.to(model.device), first_examples(data, self.examples))
        grid, [plane] = measure_random(loss, batch, Draws([DIRECTIONS], loss.flat), self.points, self.extent)
        planes = {"a": grid, "b": grid, "loss": plane}
        if len(path) >= SHORTEST:
            along = measure_path(loss, batch, path, self.points)
            planes |= {f"path_{name}": values for name, values in along.items()}
        artifacts.write({"landscape": planes})
        return measure_roughness(grid, plane)

    # --- one run, in Lightning's Trainer ---------------------------------------------------------------

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self.kept:
            self.keep(0, flatten_trained(pl_module))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.keep(trainer.current_epoch + 1, flatten_trained(pl_module))

    def state_dict(self) -> dict[str, Any]:
        return {"every": self.every, "kept": self.kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.every, self.kept = state_dict["every"], dict(state_dict["kept"])
