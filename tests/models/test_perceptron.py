from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from sklearn.linear_model import Perceptron as SklearnPerceptron

from probeta.data.batch import LabelledBatch
from probeta.data.separable import SeparableData
from probeta.models.perceptron import Perceptron


def rule(x: np.ndarray, y: np.ndarray, lr: float, epochs: int) -> tuple[np.ndarray, float]:
    """The notebook's loop, in NumPy."""
    w, b = np.zeros(x.shape[1]), 0.0
    for _ in range(epochs):
        for point, target in zip(x, y, strict=True):
            error = target - int(point @ w + b >= 0)
            w, b = w + lr * error * point, b + lr * error
    return w, b


@pytest.mark.parametrize("margin", [0.4, 0.02])
def test_an_epoch_of_the_rule_is_the_plain_loop_s(margin: float) -> None:
    data = SeparableData(n_samples=37, margin=margin)
    data.setup()
    x, y = data.splits["train"]
    model = Perceptron(data.spec, lr=0.05)
    for _ in range(3):
        model.learn(LabelledBatch(x, y))
    w, b = rule(x.double().numpy(), y.numpy(), 0.05, 3)
    assert torch.allclose(model.net.weight[0].double(), torch.from_numpy(w), atol=1e-6)
    assert float(model.net.bias) == pytest.approx(b, abs=1e-6)


def test_it_stops_without_errors_and_classifies_all(train) -> None:
    result = train("data=separable", "trainer=cpu")
    assert result["metrics"]["test/acc"] == 1.0
    assert result["converged_epoch"] == result["metrics"]["epochs"]
    data = SeparableData()
    data.setup()
    x, y = (t.numpy() for t in data.splits["train"])
    assert SklearnPerceptron(tol=None).fit(x, y).score(x, y) == 1.0


def test_it_says_when_the_classes_are_not_separable(train, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        result = train("data=separable", "data.margin=-0.3", "trainer=cpu", "trainer.max_epochs=7")
    assert result["converged_epoch"] == -1
    assert result["metrics"]["epochs"] == 7
    assert any("not separable" in record.message for record in caplog.records)
