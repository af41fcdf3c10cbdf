"""Which way of a metric is better, which ones a reader wants first, how a number is shown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from probeta.errors import ConfigError
from probeta.stats.values import Quantity

Mode = Literal["auto", "min", "max"]

_RISING = (
    "acc", "accuracy", "bleu", "chrf", "exact_match", "f1", "auc", "r2", "precision", "recall", "margin", "reach",
    "explained", "found", "located", "attention_coverage", "reached_target", "torch_gradcheck",
)  # fmt: skip
_FALLING = (
    "loss", "error", "errors", "nll", "ece", "aer", "mse", "mae", "perplexity", "lost", "gap", "false_alarms",
    "wrong_layers", "unresolved_layers", "epochs_to_target", "epochs_to_separation", "largest_rise", "early_rise",
    "early_loss",
)  # fmt: skip
_FIRST = (
    "test/acc", "test/bleu", "test/chrf", "test/exact_match", "test/loss",
    "val/acc", "val/bleu", "val/chrf", "val/exact_match", "val/loss",
    "train/acc", "train/bleu", "train/chrf", "train/exact_match", "train/loss",
)  # fmt: skip


_EXPLAIN = {"cut": (0.0, 1.0), "exact_match": (0.0, 1.0), "counterfactual_acc": (0.0, 1.0), "tau": (-1.0, 1.0)}
"""Bounds of what interventions on attention tell."""


def split_name(metric: str) -> list[str]:
    """The parts of `metric` without the name of a class, which can be any word: `test/recall/lost` is a recall."""
    parts = metric.split("/")
    return parts[:2] if parts[1:2] in (["precision"], ["recall"], ["f1"]) else parts


def direction(metric: str) -> Literal["min", "max"] | None:
    """Which way of `metric` is better; `None` for what is neither good nor bad (a norm, an entropy, an epoch).

    The last part of the name that is known decides: `test/recall/1` is the recall of class 1, `reach/lstm` a reach.
    """
    for part in reversed(split_name(metric)):
        for mode, words in (("max", _RISING), ("min", _FALLING)):
            if any(part == word or part.startswith(word + "_") or part.endswith("_" + word) for word in words):
                return mode  # type: ignore[return-value]
    return None


def is_maximised(metric: str) -> bool:
    """Whether more of `metric` is better."""
    return direction(metric) == "max"


def resolve_mode(metric: str, mode: Mode) -> Literal["min", "max"]:
    """The direction in which `metric` improves; `mode` says it where the name does not.

    Raises:
        ConfigError: `mode` contradicts what is known of `metric`, or neither says it.
    """
    known = direction(metric)
    if mode == "auto":
        if known is None:
            raise ConfigError(f"it is not known which way monitor={metric} is better: add mode=min or mode=max")
        return known
    if mode not in ("min", "max"):
        raise ConfigError.value("mode", mode, "auto, min or max")
    if known not in (None, mode):
        better = "more" if known == "max" else "less"
        raise ConfigError(f"mode={mode} is not accepted: {better} of {metric} is better, so auto or {known}")
    return mode


def check_optimized(key: str, metric: str) -> None:
    """Raise `ConfigError` where a search is for a `metric` that is neither good nor bad, or is misspelt."""
    if direction(metric) is None:
        raise ConfigError(
            f"{key}={metric} is not accepted: it is not known which way it is better, as it is of a loss or an accuracy"
        )


_SHARES = (
    "saturated_share", "negative_share", "downhill_share", "attention_coverage", "attention_diagonal",
    "attention_jumps", "attention_repetitions",
)  # fmt: skip


def bounds(metric: str) -> tuple[float, float]:
    """What the metric cannot leave: 0 and 1 of a share, 0 and 100 of BLEU and chrF, 0 of a loss, a norm, an epoch; else
    no bound.
    """
    name = next((part for part in reversed(split_name(metric)) if not part.isdigit()), metric)
    family, word, last = metric.split("/")[0], name.split("_")[0], name.split("_")[-1]
    if family == "explain":  # explain/QUANTITY/NAME
        return _EXPLAIN.get(metric.split("/")[1], (-math.inf, math.inf))
    if word in ("bleu", "chrf"):
        return (0.0, 1.0) if name.startswith("bleu_sentence") else (0.0, 100.0)
    if word in ("acc", "f1", "precision", "recall", "exact", "ece", "aer", "auc") or name in _SHARES:
        return 0.0, 1.0
    above = family in ("grad_norm", "errors", "rate", "reach") or word in ("loss", "nll", "epochs", "errors")
    return (0.0 if above or last in ("loss", "norm", "share", "rise", "epoch", "entropy") else -math.inf, math.inf)


def quantity(metric: str) -> Quantity:
    """`metric` as its comparisons know it: which way is better, and the smallest mean difference worth a verdict.

    That is 0.001 of a share (an accuracy, an F1, a gap between accuracies), 0.1 BLEU or chrF, half an epoch, and 1 % of
    the larger mean of anything else: below it a difference may be more than noise, and is still not worth telling.
    """
    way, (_, most) = direction(metric), bounds(metric)
    words = metric.rsplit("/", 1)[-1].split("_")
    least = 0.001 if most == 1.0 or "gap" in words else 0.1 if most == 100.0 else 0.5 if "epoch" in metric else 0.0
    return Quantity(metric, None if way is None else way == "max", least, 0.0 if least else 0.01)


def choose_leading(metrics: Iterable[str]) -> list[str]:
    """The metrics that a summary shows where nobody said which, most telling first."""
    known = set(metrics)
    first = [name for name in _FIRST if name in known]
    return first or sorted(known)


def format_metric(value: float | None, digits: int = 4) -> str:
    """`0.9958`, `3.2e-08`, `not a number`: short, never in more digits than mean something."""
    if value is None or not math.isfinite(value):
        return "not a number" if value is None or math.isnan(value) else str(value)
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.{digits}g}"
