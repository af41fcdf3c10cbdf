"""The accuracies that the experiments are known for, and those of scikit-learn's own models on the same data."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from probeta.data.moons import MoonsData
from probeta.data.separable import SeparableData

Train = Callable[..., dict[str, Any]]

REFERENCE = {
    "moons_mlp": 0.9375,
    "moons_baseline": 0.996,
    "moons_l2": 0.996,
    "moons_dropout": 1.0,
    "moons_batchnorm": 0.996,
    "moons_sgd": 0.996,
    "moons_adam": 0.996,
    "moons_adamw": 0.992,
}
"""Test accuracy of the notebook's loop at `data.seed=42`."""

QUICK = ("trainer=cpu", "logger=none", "checkpoints=none")


@pytest.mark.slow
@pytest.mark.parametrize("experiment", REFERENCE)
def test_the_mean_over_five_seeds_is_within_a_hundredth_of_the_reference(experiment: str, train: Train) -> None:
    accuracies = [
        train(f"experiment={experiment}", f"seed={seed}", *QUICK, into=str(seed))["metrics"]["test/acc"]
        for seed in range(1, 6)
    ]
    assert mean(accuracies) == pytest.approx(REFERENCE[experiment], abs=0.01)


@pytest.mark.slow
def test_the_mlp_is_as_good_as_that_of_scikit_learn(train: Train) -> None:
    data = MoonsData()
    data.setup()
    (x, y), (x_test, y_test) = (data.splits[split] for split in ("train", "test"))
    theirs = MLPClassifier((64,), learning_rate_init=3e-3, max_iter=1000, random_state=0).fit(x, y)
    ours = train("experiment=moons_adam", "seed=1", *QUICK)["metrics"]["test/acc"]
    assert ours == pytest.approx(theirs.score(x_test, y_test), abs=0.02)


def test_perceptron_and_logistic_regression_separate_what_scikit_learn_separates(train: Train) -> None:
    data = SeparableData()
    data.setup()
    (x, y), (x_test, y_test) = (data.splits[split] for split in ("train", "test"))
    theirs = LogisticRegression().fit(x, y)
    logistic = train("experiment=logistic", "seed=1", *QUICK, into="logistic")
    perceptron = train("experiment=perceptron", "seed=1", *QUICK, into="perceptron")
    assert logistic["metrics"]["test/acc"] == theirs.score(x_test, y_test) == 1.0
    assert perceptron["metrics"]["train/acc"] == 1.0
    assert 0 <= perceptron["converged_epoch"] < 20
