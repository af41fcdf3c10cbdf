"""Calibration against torchmetrics and a plain search, and on predictions whose error is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from probeta.errors import ConfigError
from probeta.metrics.calibration import (
    calibration,
    fit_temperature,
    negative_log_likelihood,
    probabilities,
    reliability,
)


def predictions(n: int = 301, classes: int = 3, sharpness: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose stated probabilities are `sharpness` times as sure as the labels drawn from them."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(n, classes))
    y = np.array([rng.choice(classes, p=p) for p in probabilities(z)])
    return z * sharpness, y


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_error_is_that_of_torchmetrics(classes: int, bins: int) -> None:
    logits, y = predictions(classes=classes)
    probability = probabilities(logits)
    theirs = multiclass_calibration_error(
        torch.from_numpy(probability), torch.from_numpy(y), num_classes=classes, n_bins=bins, norm="l1"
    )
    assert reliability(probability, y, bins).error == pytest.approx(float(theirs), abs=1e-6)


def test_bins_hold_every_prediction_once_also_at_the_edges() -> None:
    confident = np.array([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]])
    bins = reliability(confident, np.array([0, 0, 1]), 10)
    assert bins.count.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 1, 1]
    assert bins.error == pytest.approx((0.5 + 0.2 + 0.0) / 3)


def test_what_is_right_as_often_as_it_says_has_no_error() -> None:
    probability = np.tile([0.75, 0.25], (8, 1))
    assert reliability(probability, np.array([0] * 6 + [1] * 2)).error == pytest.approx(0.0)


def test_the_temperature_minimises_the_likelihood_and_undoes_the_sharpness() -> None:
    logits, y = predictions(n=4000, sharpness=3.0)
    fitted = fit_temperature(logits, y)
    grid = np.linspace(0.5, 8, 3001)
    best = grid[np.argmin([negative_log_likelihood(logits, y, t) for t in grid])]
    assert fitted == pytest.approx(best, abs=0.005)
    assert fitted == pytest.approx(3.0, rel=0.1)


def test_scaling_leaves_every_prediction_and_improves_the_fit() -> None:
    logits, y = predictions(n=1000)
    found = calibration(logits[:500], y[:500], logits[500:], y[500:])
    scaled = probabilities(logits, found["temperature"])
    assert (scaled.argmax(1) == logits.argmax(1)).all()
    assert found["ece_scaled"] < found["ece"]
    assert found["nll_scaled"] < found["nll"]


def test_the_likelihood_is_that_of_scikit_learn() -> None:
    logits, y = predictions()
    assert negative_log_likelihood(logits, y) == pytest.approx(log_loss(y, probabilities(logits)))


def test_predictions_that_are_all_right_are_not_scaled() -> None:
    logits = np.array([[2.0, -1.0], [-1.0, 0.5]])
    assert fit_temperature(logits, np.array([0, 1])) == 1.0
    assert fit_temperature(logits, np.array([1, 0])) == 100.0


def test_a_net_that_diverged_has_no_temperature() -> None:
    for value in (np.nan, np.inf):
        assert np.isnan(fit_temperature(np.array([[2.0, value], [-1.0, 0.5]]), np.array([0, 1])))


def test_no_predictions_and_no_bins_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least one prediction"):
        reliability(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
    with pytest.raises(ConfigError, match="bins=0"):
        reliability(np.ones((1, 2)), np.zeros(1, dtype=np.int64), 0)
