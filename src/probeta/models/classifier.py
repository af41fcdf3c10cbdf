"""Classifiers of points: the MLP and logistic regression, trained on cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.data.batch import LabelledBatch
from probeta.data.spec import PointsSpec, SequenceSpec
from probeta.errors import ConfigError
from probeta.metrics.calibration import CALIBRATION, calibration
from probeta.metrics.classification import BY_CLASS, scores_by_class
from probeta.models.artifacts import boundary, predictions
from probeta.models.module import SPLITS, Measured, Module, Sums
from probeta.nn.mlp import MLP

ClassWeight = str | Sequence[float] | None


class Classifier(Module):
    """Cross-entropy of `net`'s logits, weighted by class: Σ w_y ℓ / Σ w_y, as `F.cross_entropy` defines it.

    `class_weight` is None (all 1), "balanced" (n / (classes · n_c), King & Zeng 2001) or one number per class.
    """

    vectorizes = True
    class_weight: Tensor

    def __init__(self, spec: PointsSpec | SequenceSpec, class_weight: ClassWeight = None) -> None:
        super().__init__()
        # A buffer even when it is all ones, so that it may differ between the members of an ensemble.
        self.register_buffer("class_weight", resolve_class_weight(class_weight, spec), persistent=False)
        self.class_names: tuple[str, ...] = getattr(spec, "class_names", ())
        self.logits: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """`(B, …)` → logits `(B, classes)`."""
        logits: Tensor = self.net(x)
        return logits

    def outputs(self, batch: LabelledBatch) -> Tensor:
        logits: Tensor = self(batch.x)
        return logits

    def measure_outputs(self, outputs: Tensor, batch: LabelledBatch) -> Measured:
        losses = -F.log_softmax(outputs, dim=-1).gather(-1, batch.y.unsqueeze(-1)).squeeze(-1)
        weights = self.class_weight.to(losses.dtype)[batch.y]
        objective, weight = (weights * losses).sum(), weights.sum()
        with torch.no_grad():
            correct = (outputs.argmax(dim=-1) == batch.y).to(losses.dtype).sum()
            count = torch.ones_like(losses).sum()
        sums = {"loss": objective.detach(), "weight": weight.detach(), "correct": correct, "count": count}
        return Measured(objective, weight, sums)

    @staticmethod
    def summarize(sums: Sums) -> dict[str, Tensor]:
        return {"loss": sums["loss"] / sums["weight"], "acc": sums["correct"] / sums["count"]}

    def reported(self, data: Any) -> set[str]:
        spec = data.foresee()
        classes = ("*",) if spec is None else self.class_names or range(spec.classes)
        scores = {"f1_macro", *(f"{name}/{c}" for name in BY_CLASS for c in classes)}
        by_class = {f"{split}/{name}" for split in SPLITS for name in scores}
        return super().reported(data) | by_class | {f"test/{name}" for name in CALIBRATION}

    def on_test_epoch_end(self) -> None:
        """Beside loss and accuracy: each class by itself, and how far the probabilities can be believed."""
        super().on_test_epoch_end()
        if self.data is None:
            return
        self.logits = self.predict_splits(self.data)
        for split, logits in self.logits.items():
            y = self.data.splits[split].y
            scores = scores_by_class(logits, y, self.class_names)
            self.evaluated[split] |= {f"{split}/{name}": value for name, value in scores.items()}
        test, val = ((self.logits[s].double().numpy(), self.data.splits[s].y.numpy()) for s in ("test", "val"))
        self.evaluated["test"] |= {f"test/{name}": value for name, value in calibration(*test, *val).items()}

    @torch.no_grad()
    def predict_splits(self, data: Any) -> dict[str, Tensor]:
        """Logits `(N, classes)` of every example of every split, on the CPU."""
        return {name: self(split.x.to(self.device)).cpu() for name, split in data.splits.items()}

    def facts(self) -> dict[str, Any]:
        """`weight_norm`: ‖θ‖₂ over all parameters, of the weights that are kept."""
        whole = torch.cat([p.detach().flatten() for p in self.parameters()])
        return {**super().facts(), "weight_norm": float(torch.linalg.vector_norm(whole))}

    def artifacts(self, data: Any) -> dict[str, Any]:
        logits = {split: values for split, values in self.logits.items() if split != "train"}
        names = {"class_names": np.array(self.class_names)} if self.class_names else {}
        values: dict[str, Any] = {"predictions": predictions(logits, data.splits) | names}
        if data.splits["train"].x.shape[1:] == (2,):
            axes = getattr(data.spec, "feature_names", ())
            names |= {"feature_names": np.array(axes)} if axes else {}
            values["boundary"] = boundary(self, data.splits, self.device) | names
        return values


def resolve_class_weight(class_weight: ClassWeight, spec: PointsSpec | SequenceSpec) -> Tensor:
    """`(classes,)` weights; `ConfigError` where they do not fit the data."""
    if class_weight is None:
        return torch.ones(spec.classes)
    if class_weight == "balanced":
        if not isinstance(spec, PointsSpec):
            raise ConfigError.value("class_weight", class_weight, "null or one number per class for sequences")
        counts = torch.tensor(spec.class_counts, dtype=torch.float64)
        return (counts.sum() / (spec.classes * counts)).float()
    if isinstance(class_weight, str) or len(class_weight) != spec.classes or min(class_weight) <= 0:
        raise ConfigError.value(
            "class_weight", class_weight, f"null, balanced, or {spec.classes} numbers above 0, one per class"
        )
    return torch.tensor([float(w) for w in class_weight])


class MLPClassifier(Classifier):
    """`probeta.nn.mlp.MLP` as a classifier of points."""

    accepts = PointsSpec

    def __init__(
        self,
        spec: PointsSpec,
        width: int = 64,
        depth: int = 1,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        layer_norm: bool = False,
        residual: bool = False,
        init_scale: float = 1.0,
        class_weight: ClassWeight = None,
    ) -> None:
        super().__init__(spec, class_weight)
        self.net = MLP(
            spec.in_features,
            spec.classes,
            width=width,
            depth=depth,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            layer_norm=layer_norm,
            residual=residual,
            init_scale=init_scale,
        )


class LogisticRegression(Classifier):
    """σ(w·x + b) for two classes, trained on binary cross-entropy.

    The logits handed out are (0, w·x + b): their softmax is that sigmoid and their cross-entropy is the
    binary one, so that everything downstream reads two classes as it reads ten.
    """

    accepts = PointsSpec

    def __init__(self, spec: PointsSpec, class_weight: ClassWeight = None) -> None:
        super().__init__(spec, class_weight)
        if spec.classes != 2:
            raise ConfigError(
                f"model=logistic separates two classes, and the data have {spec.classes}: model=mlp model.depth=0 does"
            )
        self.net = nn.Linear(spec.in_features, 1)

    def forward(self, x: Tensor) -> Tensor:
        score = self.net(x)
        return torch.cat([torch.zeros_like(score), score], dim=-1)
