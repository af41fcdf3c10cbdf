"""`checkpoints/last.ckpt` and `best.ckpt`, and in them all that a run needs to go on as if never stopped."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.callbacks import Checkpoint as LightningCheckpoint

from probeta.errors import ConfigError
from probeta.models.weights import save_archive
from probeta.runs.directory import RunDirectory


def random_states() -> dict[str, Any]:
    """The process's random generators, in types that `weights_only` loading accepts."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (kind, [int(k) for k in keys], int(position), int(has_gauss), float(gauss)),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def set_random_states(states: dict[str, Any]) -> None:
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(states["torch"].cpu())
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([s.cpu() for s in states["cuda"]])


def is_between_steps(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether no gradients are being accumulated after this batch: a checkpoint does not hold them."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


def any_rank(trainer: pl.Trainer, here: bool) -> bool:
    """Whether `here` holds in any process of the run: what they do together all must do, or some wait forever."""
    if trainer.world_size == 1:
        return here
    # One sum per batch, and no barrier around it as in Lightning's `reduce_boolean_decision`.
    votes = torch.tensor(int(here), device=trainer.strategy.root_device)
    dist.all_reduce(votes)
    return bool(votes)


class Checkpoint(LightningCheckpoint):
    """Writes `last.ckpt` every `every_minutes` (at the next batch) and when a run is interrupted or done.

    Beside what Lightning saves (weights, optimizer, schedule, loops) it holds the random states, the place in
    the epoch's data order and, through the other callbacks, the best weights so far. Nothing is written at
    every improvement: the best weights wait in memory and become `best.ckpt` when they are final.
    """

    def __init__(self, every_minutes: float = 1.0) -> None:
        if every_minutes <= 0:
            raise ConfigError.value("every_minutes", every_minutes, "a number of minutes above 0")
        self.every_minutes = every_minutes
        self.position = 0
        self.final: dict[str, Any] = {}
        self._saved = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._saved = time.monotonic()
        if self.position:
            loader: Any = trainer.train_dataloader
            loader.start_at(self.position)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # In memory: whether it is kept is decided when the run has been tested.
        self.final = trainer._checkpoint_connector.dump_checkpoint()
        # The best weights are put back into the same memory.
        self.final["state_dict"] = {name: value.clone() for name, value in self.final["state_dict"].items()}

    def save_final(self, path: Path) -> None:
        """Write the state at the end of training, taken before the best weights were put back."""
        save_archive(self.final, path)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # The epoch's last batch is left to the epoch's end: between them validation would run twice.
        last_batch = batch_idx + 1 >= trainer.num_training_batches
        self.position = 0 if last_batch else batch_idx + 1
        if not last_batch and is_between_steps(trainer, batch_idx) and self.due_for_all(trainer):
            self.save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.due_for_all(trainer):
            self.save(trainer)

    def due_for_all(self, trainer: pl.Trainer) -> bool:
        """Whether it is time, by the first process's clock: each has its own, and they write together."""
        return any_rank(trainer, trainer.is_global_zero and self.due)

    @property
    def due(self) -> bool:
        return time.monotonic() - self._saved > 60 * self.every_minutes

    def save(self, trainer: pl.Trainer) -> None:
        self._saved = time.monotonic()
        # Rows first: a run that is killed now must find in its log all that the checkpoint is past.
        for logger in trainer.loggers:
            logger.save()
        state = trainer._checkpoint_connector.dump_checkpoint()
        if trainer.is_global_zero:
            save_archive(state, RunDirectory(Path(trainer.default_root_dir)).last)
        trainer.strategy.barrier("checkpoint")

    def state_dict(self) -> dict[str, Any]:
        return {"random": random_states(), "position": self.position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.position = state_dict["position"]
        self._random = state_dict["random"]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore_random()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._restore_random()

    def _restore_random(self) -> None:
        """As late as possible: Lightning's own set-up may draw numbers of its own before the first batch."""
        if (states := self.__dict__.pop("_random", None)) is not None:
            set_random_states(states)


class InputsKept(pl.Callback):
    """Adds `inputs` to every checkpoint: the hashes that `result.json` keeps when the run is completed."""

    def __init__(self, inputs: Mapping[str, str | None]) -> None:
        self.inputs = dict(inputs)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["inputs"] = self.inputs
