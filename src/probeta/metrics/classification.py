"""How well each class is found: precision, recall and F1 apart, since accuracy hides a rare class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

BY_CLASS = ("precision", "recall", "f1")
"""What `scores_by_class` says of each class."""


def scores_by_class(logits: Tensor, y: Tensor, names: Sequence[str] = ()) -> dict[str, float]:
    """`precision/<c>`, `recall/<c>`, `f1/<c>` of every class, by its name or number, and `f1_macro`, their plain mean.

    `logits (N, C)`, `y (N,)`. A ratio whose denominator is 0 (a class never predicted) counts as 0.
    """
    classes = logits.shape[1]
    names = names or [str(c) for c in range(classes)]
    predicted = logits.argmax(dim=1)
    measures = {"precision": multiclass_precision, "recall": multiclass_recall, "f1": multiclass_f1_score}
    scores: dict[str, float] = {}
    for name, measure in measures.items():
        values: Tensor = measure(predicted, y, num_classes=classes, average="none")
        scores |= {f"{name}/{c}": float(value) for c, value in zip(names, values, strict=True)}
    scores["f1_macro"] = float(torch.tensor([scores[f"f1/{c}"] for c in names]).mean())
    return scores
