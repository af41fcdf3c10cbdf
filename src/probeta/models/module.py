"""What every model of the laboratory shares as a LightningModule.

A model says what a batch's objective is (`measure`) and how its sums become metrics (`summarize`).
Both are pure functions of tensors, so the vectorized launcher runs the very same code for K members.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar, NamedTuple

import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from probeta.data.batches import Batches
from probeta.errors import TrainingDiverged
from probeta.nn.dropout import Dropout, dropouts, mix, reseed

Sums = dict[str, Tensor]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory = Callable[..., LRScheduler]

SPLITS = ("train", "val", "test")
"""What a finished run is measured on."""

DIVERGENCE_CHECK_STEPS = 50
"""How often an accelerator is asked whether the loss is finite: asking makes it wait."""


class Measured(NamedTuple):
    """One batch's objective, as a sum and what it is divided by, and what the metrics are made of."""

    objective: Tensor
    """`()` the sum that is differentiated."""
    weight: Tensor
    """`()` what the sum is divided by: examples, tokens, or class weights."""
    sums: Sums
    """`()` each, without gradient: added up over the batches of an epoch."""


class AnySums(Sums):
    """Every sum there could be, each 1: `summarize` names all its metrics of it."""

    def __missing__(self, name: str) -> Tensor:
        return torch.ones(())

    def __contains__(self, name: object) -> bool:
        return True


class Meter:
    """Sums over the batches of an epoch, and the metrics they make."""

    def __init__(self) -> None:
        self.sums: Sums = {}

    def add(self, sums: Sums) -> None:
        for name, value in sums.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def clear(self) -> None:
        self.sums = {}


class Module(pl.LightningModule):
    """Training, metrics and optimisers; a subclass sets `net` and writes `measure` and `summarize`.

    A constructor takes what its YAML says of the net; how it learns is told by `learn_by`.
    """

    accepts: ClassVar[type]
    """The `DataSpec` that this model reads."""
    vectorizes: ClassVar[bool] = False
    """Whether K members train as one batch dimension: `measure` must then be free of `.item()`, of branches on
    values of tensors and of in-place writes into what it did not make."""
    compiled: ClassVar[bool] = True
    """Whether `compile=true` may compile `net`."""
    stacks: ClassVar[bool] = True
    """Whether `measure` runs under `torch.func.vmap` at all; where it does not, K nets are measured one by one."""
    net: nn.Module
    data: Any = None
    """The datamodule, while the kept weights are evaluated: translations are compared with its references."""

    def __init__(self) -> None:
        super().__init__()
        self.optimizer_factory: OptimizerFactory | None = None
        self.scheduler_factory: SchedulerFactory | None = None
        self.seed = 0
        self.draw_step = 0
        """What a training step's draws (dropout, teacher forcing) are addressed by, beside the seed."""
        self.meters = {"train": Meter(), "val": Meter(), "test": Meter()}
        self.epoch_metrics: dict[str, float | Tensor] = {}
        """What the epoch's row in the log will hold; callbacks add to it."""
        self.evaluated: dict[str, dict[str, float]] = {}
        """Metrics of each split after `Trainer.test`, by split name."""
        self.counts: dict[str, tuple[int, int]] = {}
        """Of the metrics that are a share of cases: how many cases, of how many. A quotient in float32 is not exact."""
        self.test_splits: tuple[str, ...] = ("test",)
        """The split behind each loader that `Trainer.test` is given."""
        self.noisy = True
        """Whether any layer draws dropout masks."""
        self.first_bad_step = torch.tensor(-1)
        self.plateau: ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] | None = None

    def learn_by(self, seed: int, optimizer: OptimizerFactory | None, scheduler: SchedulerFactory | None) -> None:
        """Train with these, the configuration's `_partial_` nodes; `seed` (`seeds.noise`) addresses what it draws.

        `optimizer` is `None` for a model with a rule of its own, `scheduler` for a constant learning rate.
        """
        self.seed, self.optimizer_factory, self.scheduler_factory = seed, optimizer, scheduler

    def measure(self, batch: Any) -> Measured:
        """The objective of `batch` and the sums for its metrics. Pure: no state, no logging."""
        return self.measure_outputs(self.outputs(batch), batch)

    def outputs(self, batch: Any) -> Tensor:
        """What of `batch` is compared with its targets (logits). A model with a `measure` of its own may lack it."""
        raise NotImplementedError

    def measure_outputs(self, outputs: Tensor, batch: Any) -> Measured:
        """`measure` from the outputs on."""
        raise NotImplementedError

    def measure_training(self, batch: Any) -> Measured:
        """`measure` with whatever a training step draws (teacher forcing), addressed by (seed, step)."""
        return self.measure(batch)

    def measure_thoroughly(self, batch: Any) -> Measured:
        """`measure` with sums that are too costly for every epoch. Pure, as `measure` is."""
        return self.measure(batch)

    def thorough_at(self, epoch: int, max_epochs: int | None, every: int = 1) -> bool:
        """Whether the validation of `epoch` (from 0) measures thoroughly, where there is one `every` so many epochs."""
        return False

    def validation_words(self, data: Any) -> dict[str, float]:
        """Metrics of a thorough validation that are no sums over batches: those of translations."""
        return {}

    @staticmethod
    @abstractmethod
    def summarize(sums: Sums) -> dict[str, Tensor]:
        """Metrics of a split from the sums over its batches; names without the split's prefix."""

    @classmethod
    def logged(cls) -> set[str]:
        """The metrics that an epoch can have, with their split: what may be monitored.

        They are what `summarize` makes of any sums. A model that logs more, or less, says so here.
        """
        names = cls.summarize(AnySums())
        return {f"{split}/{name}" for split in ("train", "val") for name in names}

    def reported(self, data: Any) -> set[str]:
        """The metrics of a finished run, with their split: what a search or a study may be for.

        They are what `summarize` makes of any sums, and the epochs. A model that reports more, or less, says so here.
        `data` is the datamodule as it is configured, unopened; where it does not say how many classes there are, `*`
        stands for each of them.
        """
        names = self.summarize(AnySums())
        return {f"{split}/{name}" for split in SPLITS for name in names} | {"epochs", "best_epoch"}

    def draws_noise(self) -> bool:
        """Whether training draws anything, such as dropout masks; a model that draws in a way of its own says so."""
        return any(
            module.active if isinstance(module, Dropout) else isinstance(module, nn.Dropout) and module.p > 0.0
            for module in self.modules()
        )

    def evaluation_loaders(self, data: Any) -> dict[str, Any]:
        """The splits that a finished run is measured on, by name."""
        return {split: data.batches(split) for split in SPLITS}

    def start_evaluation(self, data: Any) -> dict[str, Any]:
        """The loaders that `Trainer.test` is given, by split; `data` stays at hand until the next evaluation."""
        loaders = self.evaluation_loaders(data)
        self.test_splits, self.data = tuple(loaders), data
        return loaders

    def artifacts(self, data: Any) -> dict[str, Any]:
        """What reports draw from without torch, of the kept weights: values by the names of `runs.artifacts`."""
        return {}

    def facts(self) -> dict[str, Any]:
        """What the result says beside the metrics: `counts`, `parameters` (trained ones), and what a model adds."""
        size = sum(p.numel() for p in self.parameters() if p.requires_grad)
        return {"counts": self.counts, "parameters": size}

    # --- training ------------------------------------------------------------------------------------

    def on_train_start(self) -> None:
        loader = self.trainer.train_dataloader
        if isinstance(loader, Batches):
            loader.shard(self.trainer.global_rank, self.trainer.world_size)
        # Walking all modules at every step is expensive where a step takes a millisecond.
        self.noisy = any(dropout.active for dropout in dropouts(self.net))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        # Under DDP every process has rows of its own, and so masks of its own.
        rank = self.trainer.global_rank
        # Batches whose gradients are accumulated share an optimizer step, but not their masks.
        accumulated = self.trainer.accumulate_grad_batches
        self.draw_step = self.global_step * accumulated + batch_idx % accumulated
        if self.noisy:
            reseed(self.net, mix(self.seed, rank) if rank else self.seed, self.draw_step)
        measured = self.measure_training(batch)
        loss = self.mean_loss(measured)
        self.check_finite(loss.detach())
        self.meters["train"].add(measured.sums)
        return loss

    def mean_loss(self, measured: Measured) -> Tensor:
        """Objective over weight. DDP averages gradients over processes, while the loss is a mean over the
        global batch: each process therefore divides by its share of the global weight.
        """
        weight = measured.weight
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            total = weight.detach().clone()
            dist.all_reduce(total)
            weight = total / dist.get_world_size()
        return measured.objective / weight

    def check_finite(self, loss: Tensor) -> None:
        """Remember the first step whose loss is not finite, and stop there (at once on a CPU)."""
        step = self.global_step
        if loss.device.type == "cpu":
            if not math.isfinite(value := loss.item()):
                raise TrainingDiverged("train/loss", value, step, self.current_epoch)
            return
        bad = self.first_bad_step.to(loss.device)
        self.first_bad_step = torch.where((bad < 0) & ~torch.isfinite(loss), step, bad)
        if step % DIVERGENCE_CHECK_STEPS == 0:
            self.raise_if_diverged()

    def raise_if_diverged(self) -> None:
        if (step := int(self.first_bad_step)) >= 0:
            raise TrainingDiverged("train/loss", float("nan"), step, self.current_epoch)

    def on_train_epoch_end(self) -> None:
        self.raise_if_diverged()
        self.publish("train")
        known = self.trainer.callback_metrics
        # An epoch without validation, or without translations, has no score: an earlier one's must not pass for it.
        for name in [n for n in known if n.startswith(("train/", "val/")) and n not in self.epoch_metrics]:
            del known[name]
        if self.plateau is not None:
            monitor = self.plateau.monitor  # type: ignore[attr-defined]
            if (value := self.epoch_metrics.get(monitor)) is not None:
                self.plateau.step(float(value))
        self.log_row({"epoch": self.current_epoch, **self.epoch_metrics})
        self.epoch_metrics.clear()

    def log_row(self, row: dict[str, float | Tensor]) -> None:
        """One row to every logger, in one call: `self.log` costs more than a step of a small model."""
        values = {name: float(value) for name, value in row.items()}
        for logger in self.trainer.loggers:
            logger.log_metrics(values, step=self.global_step)

    # --- evaluation ----------------------------------------------------------------------------------

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.meters["val"].add(self.measure(batch).sums)

    def on_validation_epoch_end(self) -> None:
        self.publish("val")

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        split = self.test_splits[dataloader_idx]
        self.meters.setdefault(f"test:{split}", Meter()).add(self.measure(batch).sums)

    def on_test_epoch_end(self) -> None:
        for split in self.test_splits:
            meter = self.meters.pop(f"test:{split}")
            metrics = self.summarize(meter.sums)
            self.evaluated[split] = {f"{split}/{name}": float(value) for name, value in metrics.items()}
            if "correct" in meter.sums:
                self.counts[f"{split}/acc"] = int(meter.sums["correct"]), int(meter.sums["count"])

    def publish(self, split: str) -> dict[str, float]:
        """Close the epoch of `split`: its metrics, as floats, to Lightning's callbacks."""
        meter = self.meters[split]
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1 and split == "train":
            for value in meter.sums.values():
                dist.all_reduce(value)
        metrics = {f"{split}/{name}": float(value) for name, value in self.summarize(meter.sums).items()}
        meter.clear()
        if self.trainer.world_size > 1:
            # What is decided by them (stopping, the plateau's schedule) all processes must decide alike.
            metrics = self.trainer.strategy.broadcast(metrics)
        self.epoch_metrics.update(metrics)
        self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in metrics.items()})
        return metrics

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate, as Lightning's finder reads and sets it."""
        assert isinstance(self.optimizer_factory, partial)
        return float(self.optimizer_factory.keywords["lr"])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        assert isinstance(self.optimizer_factory, partial)
        self.optimizer_factory = partial(self.optimizer_factory, lr=value)

    # --- optimisers ----------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        assert self.optimizer_factory is not None, "learn_by names the optimizer"
        optimizer = self.optimizer_factory(self.parameters())
        if self.scheduler_factory is None:
            return optimizer
        # A run without a known end has 0 of them, which a schedule that needs one refuses.
        steps, epochs = self.trainer.estimated_stepping_batches, self.trainer.max_epochs or 1
        total = int(steps) if 0 <= steps < math.inf else 0
        scheduler = self.scheduler_factory(optimizer, total_steps=total, total_epochs=max(0, epochs))
        if isinstance(scheduler, ReduceLROnPlateau):
            # Lightning neither checkpoints the metrics a plateau waits for nor steps it when an epoch is
            # resumed at its end; stepping it at the end of each epoch that has the metric needs neither.
            self.plateau = scheduler
            if self._plateau_state is not None:
                scheduler.load_state_dict(self._plateau_state)
            return optimizer
        interval = scheduler.interval  # type: ignore[attr-defined]
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": interval}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["epoch_sums"] = {name: dict(meter.sums) for name, meter in self.meters.items()}
        checkpoint["epoch_metrics"] = {name: float(value) for name, value in self.epoch_metrics.items()}
        if self.plateau is not None:
            checkpoint["plateau"] = self.plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for name, sums in checkpoint.get("epoch_sums", {}).items():
            self.meters[name] = Meter()
            self.meters[name].sums = dict(sums)
        self.epoch_metrics = dict(checkpoint.get("epoch_metrics", {}))
        self._plateau_state = checkpoint.get("plateau")
