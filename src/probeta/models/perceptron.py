"""Rosenblatt's perceptron: it learns from its errors, not from a gradient."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from probeta.data.batch import LabelledBatch
from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError
from probeta.models.classifier import Classifier
from probeta.models.module import Measured, Sums

log = logging.getLogger(__name__)


class Perceptron(Classifier):
    """For every point in turn: w ← w + lr (y − ŷ) x, b ← b + lr (y − ŷ), ŷ = [w·x + b ≥ 0] (Rosenblatt 1958).

    Weights start at zero. Training stops after the first epoch without an error (Novikoff 1962: it
    comes if the classes are separable); without one it goes on to the last epoch and says so.
    `train/errors` counts the updates of an epoch, `converged_epoch` (from 1; −1: never) is in the result.

    Args:
        lr: learning rate, above 0.
    """

    accepts = PointsSpec
    net: nn.Linear
    automatic_optimization = False
    vectorizes = False

    def __init__(self, spec: PointsSpec, lr: float = 0.05) -> None:
        super().__init__(spec)
        if lr <= 0:
            raise ConfigError.value("lr", lr, "a learning rate above 0")
        if spec.classes != 2:
            raise ConfigError(f"model=perceptron separates two classes, and the data have {spec.classes}")
        self.lr = lr
        self.net = nn.Linear(spec.in_features, 1)
        nn.init.zeros_(self.net.weight)
        nn.init.zeros_(self.net.bias)
        self.converged_epoch = -1

    def forward(self, x: Tensor) -> Tensor:
        """`(B, features)` → `(B, 2)`: (0, score), as logistic regression hands them out."""
        score = self.net(x)
        return torch.cat([torch.zeros_like(score), score], dim=-1)

    def configure_optimizers(self) -> None:
        return None

    @torch.no_grad()
    def training_step(self, batch: LabelledBatch, batch_idx: int) -> None:  # type: ignore[override]
        measured = self.measure(batch)
        errors = self.learn(batch)
        self.meters["train"].add({**measured.sums, "errors": torch.tensor(float(errors))})
        # Lightning counts steps by optimizers, and there is none here.
        self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.increment_completed()

    @torch.no_grad()
    def learn(self, batch: LabelledBatch) -> int:
        """One pass over the points in order; returns how many were on the wrong side."""
        w, b, errors = self.net.weight[0].tolist(), float(self.net.bias), 0
        for x, y in zip(batch.x.tolist(), batch.y.tolist(), strict=True):
            error = y - (1 if sum(a * c for a, c in zip(w, x, strict=True)) + b >= 0 else 0)
            if error:
                errors += 1
                w = [a + self.lr * error * c for a, c in zip(w, x, strict=True)]
                b += self.lr * error
        self.net.weight.copy_(torch.tensor([w]))
        self.net.bias.copy_(torch.tensor([b]))
        return errors

    def on_train_epoch_end(self) -> None:
        errors = int(self.meters["train"].sums["errors"])
        super().on_train_epoch_end()
        if errors == 0:
            self.converged_epoch = self.current_epoch + 1
            self.trainer.should_stop = True
        elif self.current_epoch + 1 == self.trainer.max_epochs:
            log.warning(
                "The perceptron still made %d errors in epoch %d, its last: the classes are not separable by a "
                "line, or more epochs are needed.",
                errors,
                self.current_epoch + 1,
            )

    def measure_outputs(self, outputs: Tensor, batch: LabelledBatch) -> Measured:
        """The perceptron criterion, max(0, −(2y − 1) score): what the rule is the subgradient of."""
        score = outputs[..., 1]
        losses = torch.relu(-(2 * batch.y - 1) * score)
        correct = ((score >= 0).long() == batch.y).to(losses.dtype).sum()
        count = torch.ones_like(losses).sum()
        return Measured(losses.sum(), count, {"loss": losses.sum().detach(), "correct": correct, "count": count})

    @staticmethod
    def summarize(sums: Sums) -> dict[str, Tensor]:
        metrics = {"loss": sums["loss"] / sums["count"], "acc": sums["correct"] / sums["count"]}
        return metrics | ({"errors": sums["errors"]} if "errors" in sums else {})

    @classmethod
    def logged(cls) -> set[str]:
        return super().logged() - {"val/errors"}

    def reported(self, data: Any) -> set[str]:
        return {name for name in super().reported(data) if not name.endswith("/errors")}

    def facts(self) -> dict[str, Any]:
        """What the result says beside the metrics."""
        return {**super().facts(), "converged_epoch": self.converged_epoch}
