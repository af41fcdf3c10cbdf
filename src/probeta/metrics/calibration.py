"""Does a stated probability come true that often? Expected calibration error, and temperature scaling.

Without torch: a finished run's predictions are read and drawn by reports.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

from probeta.errors import ConfigError, check_whole

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BINS = 15
TEMPERATURES = (0.01, 100.0)


@dataclass(frozen=True)
class Reliability:
    """Predictions gathered by their confidence, the probability of the predicted class (Guo et al. 2017, §2)."""

    edges: Floats
    """`(bins + 1,)` from 0 to 1, equally wide; a bin holds its lower edge."""
    confidence: Floats
    """`(bins,)` mean confidence; NaN in an empty bin."""
    accuracy: Floats
    """`(bins,)` share of right predictions; NaN in an empty bin."""
    count: Ints
    """`(bins,)`"""

    @property
    def error(self) -> float:
        """`Σ_b (n_b / N) |accuracy_b - confidence_b|`: expected calibration error in L1 (Guo et al. 2017, eq. 3)."""
        full = self.count > 0
        gap = np.abs(self.accuracy[full] - self.confidence[full])
        return float((gap * self.count[full]).sum() / self.count.sum())


def probabilities(logits: Floats, temperature: float = 1.0) -> Floats:
    """`softmax(logits / T)`: `(N, C)` → `(N, C)`. A temperature never changes which class is largest."""
    return np.asarray(softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1))


def reliability(probability: Floats, y: Ints, bins: int = BINS) -> Reliability:
    """Bin predictions `(N, C)` with classes `y (N,)` by confidence.

    Raises:
        ConfigError: fewer than one bin, or no predictions.
    """
    check_whole("bins", bins)
    if len(y) == 0:
        raise ConfigError("calibration needs at least one prediction")
    confidence = probability.max(axis=1)
    right = probability.argmax(axis=1) == y
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, weights=w, minlength=bins) / count for w in (confidence, right.astype(float))]
    return Reliability(edges, means[0], means[1], count)


def negative_log_likelihood(logits: Floats, y: Ints, temperature: float = 1.0) -> float:
    """Mean of `-log softmax(logits / T)_y`."""
    log_probability = log_softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return float(-log_probability[np.arange(len(y)), y].mean())


def fit_temperature(logits: Floats, y: Ints) -> float:
    """The `T` that minimises the negative log-likelihood of `logits / T` (Guo et al. 2017, §4.2).

    To be fitted on validation data. The negative log-likelihood is convex in `1/T`, so its slope
    `E_p[z] - z_y` has at most one zero. Where every prediction is right no confidence is too high and there is no
    minimum: 1, no scaling, is returned. Where the logits say nothing, the upper end of `TEMPERATURES` is. NaN where
    a logit is not finite.
    """
    z = np.asarray(logits, dtype=np.float64)
    if not np.isfinite(z).all():
        return float("nan")
    true = z[np.arange(len(y)), y]

    def slope(log_temperature: float) -> float:
        return float(((probabilities(z, np.exp(log_temperature)) * z).sum(axis=1) - true).mean())

    lowest, highest = TEMPERATURES
    if slope(np.log(highest)) >= 0:
        return highest
    if slope(np.log(lowest)) <= 0:
        return 1.0
    return float(np.exp(brentq(slope, np.log(lowest), np.log(highest), xtol=1e-14)))


CALIBRATION = ("ece", "nll", "temperature", "ece_scaled", "nll_scaled")
"""The names of `calibration`."""


def calibration(
    logits: Floats, y: Ints, val_logits: Floats | None = None, val_y: Ints | None = None
) -> dict[str, float]:
    """`ece` and `nll`; with validation predictions also `temperature` (fitted there), `ece_scaled`, `nll_scaled`."""
    measured = {"ece": reliability(probabilities(logits), y).error, "nll": negative_log_likelihood(logits, y)}
    if val_logits is not None and val_y is not None:
        t = fit_temperature(val_logits, val_y)
        measured |= {
            "temperature": t,
            "ece_scaled": reliability(probabilities(logits, t), y).error,
            "nll_scaled": negative_log_likelihood(logits, y, t),
        }
    return measured
