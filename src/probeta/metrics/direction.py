"""Which metrics a reader wants first, which way is better, how a number is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable

_RISING = ("acc", "bleu", "bleu_sentence", "chrf", "exact_match", "f1", "auc", "r2", "precision", "recall", "margin")
_FIRST = (
    "test/acc", "test/bleu", "test/exact_match", "test/loss",
    "val/acc", "val/bleu", "val/exact_match", "val/loss",
    "train/acc", "train/bleu", "train/exact_match", "train/loss",
)  # fmt: skip


def maximised(metric: str) -> bool:
    """Whether more of `metric` is better: accuracies and BLEU are, losses and errors are not."""
    # `test/recall/1` is that of class 1.
    name = next((part for part in reversed(metric.split("/")) if not part.isdigit()), metric)
    return any(name == word or name.startswith(word + "_") or name.endswith("_" + word) for word in _RISING)


def leading(metrics: Iterable[str]) -> list[str]:
    """The metrics that a summary shows where nobody said which, most telling first."""
    known = set(metrics)
    first = [name for name in _FIRST if name in known]
    return first or sorted(known)


def shown(value: float | None, digits: int = 4) -> str:
    """`0.9958`, `3.2e-08`, `not a number`: short, never in more digits than mean something."""
    if value is None or not math.isfinite(value):
        return "not a number" if value is None or math.isnan(value) else str(value)
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.{digits}g}"
