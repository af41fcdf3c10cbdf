"""The curvature of the training loss while a run trains: sharpness, trace, Gauss–Newton, noise, the last step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from probeta.curvature.draws import Draws
from probeta.curvature.hutchinson import estimate_trace
from probeta.curvature.lanczos import Product, lanczos
from probeta.curvature.loss import StackedLoss, first_examples, flatten_trained
from probeta.curvature.noise_scale import measure_noise
from probeta.curvature.stability import Stability, find_stability
from probeta.curvature.step import measure_step
from probeta.errors import ConfigError, check_whole, check_whole_or_null
from probeta.models.module import Module

QUANTITIES = ("largest", "smallest", "trace", "gauss_newton", "noise", "step")

START = 0
"""Seed of the vectors that searches begin with: one for every run and epoch, so that nothing depends on history."""


class Curvature(pl.Callback):
    """Logs `curvature/…` at the end of every `every_n_epochs`-th epoch. It draws no random number of the run's.

    The loss is that of training without dropout, on the first `examples`; `largest` is the sharpness λ, `edge` the one
    up to which the optimizer is stable (`probeta.curvature.stability`: 2 / η for gradient descent), `relative` is how
    much of that is reached (λ η / 2), `gauss_newton` the greatest eigenvalue of that matrix, `critical_batch` and
    `signal_to_noise` are those of the gradient (`noise`), `along_step` and `alpha` those of the epoch's last step
    (`step`).

    Args:
        every_n_epochs: from 1; the first epoch is measured.
        quantities: of largest, smallest, trace, gauss_newton, noise, step.
        examples: of the training data; null: all.
        tolerance: residual of eigenvalues, relative to the greatest magnitude.
        steps: products of an eigenvalue's search, at most.
        draws: random vectors of the trace, from 2.
    """

    def __init__(
        self,
        every_n_epochs: int = 20,
        quantities: Sequence[str] = ("largest", "step"),
        examples: int | None = 256,
        tolerance: float = 0.01,
        steps: int = 60,
        draws: int = 8,
    ) -> None:
        self.every_n_epochs = check_whole("every_n_epochs", every_n_epochs)
        for name in quantities:
            if name not in QUANTITIES:
                raise ConfigError.unknown("quantities", name, QUANTITIES)
        self.quantities = tuple(quantities)
        self.examples = check_whole_or_null("examples", examples, 2, "for all of them")
        if not 0 < tolerance < 1:
            raise ConfigError.value("tolerance", tolerance, "a relative residual, 0 < tolerance < 1")
        self.tolerance = tolerance
        self.steps = check_whole("steps", steps, 2)
        self.draws = check_whole("draws", draws, 2)
        self.batch: Any = None
        self.before: Tensor | None = None

    def is_due(self, epoch: int) -> bool:
        return epoch % self.every_n_epochs == 0

    def needs_step(self, epoch: int) -> bool:
        """Whether the weights before the epoch's last step are needed."""
        return "step" in self.quantities and self.is_due(epoch)

    def measure(
        self, loss: StackedLoss, batch: Any, stability: Stability | None, before: Tensor | None, own: bool = False
    ) -> dict[str, Tensor]:
        """Name → `(K,)` float64 of K members.

        Args:
            loss: where they stand.
            batch: what it is measured on; with a first dimension K where each has its `own`.
            stability: of their optimizer, where it is known.
            before: `(K, P)` weights before their last step, where it is measured.
            own: whether members have different data.
        """
        point = loss.at(batch, own=own)
        found: dict[str, Tensor] = {}
        if "largest" in self.quantities:
            found["largest"] = self.extreme(point.hessian, loss, -1)
            if stability is not None:
                scaled = found["largest"]
                if stability.scale is not None:
                    scaled = found["preconditioned"] = self.extreme(stability.precondition(point.hessian), loss, -1)
                found["relative"] = (scaled + stability.decay) / stability.edge
                found["edge"] = stability.edge - stability.decay
        if "smallest" in self.quantities:
            found["smallest"] = self.extreme(point.hessian, loss, 0)
        if "gauss_newton" in self.quantities and loss.has_outputs:
            found["gauss_newton"] = self.extreme(point.gauss_newton, loss, -1)
        if "trace" in self.quantities:
            found["trace"], _ = estimate_trace(point.hessian, Draws([START] * len(loss), loss.flat), self.draws)
        if "noise" in self.quantities:
            found |= self.noise(loss, batch, own)
        if before is not None:
            along, alpha = measure_step(loss.at(batch, before, own=own), point)
            found |= {"along_step": along, "alpha": alpha}
        return {f"curvature/{name}": value.cpu() for name, value in found.items()}

    def extreme(self, product: Product, loss: StackedLoss, end: int) -> Tensor:
        start = Draws([START], loss.flat).normal().expand(len(loss), -1)
        return torch.stack([r.values[end] for r in lanczos(product, start, self.steps, self.tolerance, (end,))])

    @staticmethod
    def noise(loss: StackedLoss, batch: Any, own: bool) -> dict[str, Tensor]:
        noise = measure_noise(loss, batch, own=own)
        return {"critical_batch": noise.critical_batch, "signal_to_noise": noise.signal_to_noise(noise.examples)}

    # --- one run, in Lightning's Trainer ---------------------------------------------------------------

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: object) -> None:
        if self.needs_step(trainer.current_epoch):
            self.before = flatten_trained(pl_module)[None]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Module)
        if not self.is_due(trainer.current_epoch):
            return
        if self.batch is None:
            batch = first_examples(trainer.datamodule, self.examples)  # type: ignore[attr-defined]
            self.batch = type(batch)(*(t.to(pl_module.device) for t in batch))
        stability = find_stability(trainer.optimizers[0]) if trainer.optimizers else None
        before, self.before = self.before, None
        found = self.measure(StackedLoss.of([pl_module]), self.batch, stability, before)
        pl_module.epoch_metrics.update({name: float(value) for name, value in found.items()})
