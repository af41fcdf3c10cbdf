from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from probeta.config.build import check
from probeta.data.built_in import SETS, BuiltInData
from probeta.errors import ConfigError
from probeta.figures.run import make_figures
from probeta.inference.load_run import load_run
from probeta.inference.predict import predict
from probeta.stats.intervals import mean_interval


def split_and_scale(x: Any, y: Any) -> dict[str, tuple[Any, Any]]:
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, random_state=42, stratify=y)
    x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, random_state=42, stratify=y_rest)
    scale = StandardScaler().fit(x_train).transform
    return {"train": (scale(x_train), y_train), "val": (scale(x_val), y_val), "test": (scale(x_test), y_test)}


@pytest.mark.parametrize("name", SETS)
def test_features_are_standardised_on_the_training_part_as_scikit_learn_does(name: str) -> None:
    data = BuiltInData(name)
    data.open(0)
    for split, (x, y) in split_and_scale(*SETS[name](return_X_y=True)).items():
        np.testing.assert_allclose(data.splits[split].x, x, atol=1e-5)
        assert np.array_equal(data.splits[split].y, y)


def test_classes_keep_their_names_in_metrics_figures_and_predictions(train: Any, tmp_path: Path) -> None:
    metrics = train("data=iris", "optimizer.lr=0.01", "trainer.max_epochs=30", "trainer=cpu")["metrics"]
    assert {name for name in metrics if name.startswith("test/f1/")} == {
        "test/f1/setosa", "test/f1/versicolor", "test/f1/virginica",
    }  # fmt: skip
    figures = make_figures(tmp_path / "run")
    assert "boundary" not in figures
    labels = [text.get_text() for text in figures["confusion"].axes[0].get_xticklabels()]
    assert labels == ["setosa", "versicolor", "virginica"]
    run = load_run(tmp_path / "run")
    assert run.spec.class_names == ("setosa", "versicolor", "virginica")  # type: ignore[union-attr]
    # In centimetres, as the flowers were measured.
    x, y = load_iris(return_X_y=True)
    found = np.asarray(predict(run, x.tolist())).argmax(axis=1)
    assert np.mean(found == y) >= 0.9


def test_jobs_are_checked_against_the_set_s_own_classes(configure: Callable[..., Any]) -> None:
    check(configure("data=iris", "model.class_weight=[1,2,3]"))
    check(configure("data=blobs", "data.classes=4", "model.class_weight=[1,2,3,4]"))
    with pytest.raises(ConfigError, match="3 numbers above 0"):
        check(configure("data=wine", "model.class_weight=[1,2]"))
    with pytest.raises(ConfigError, match="the data have 10"):
        check(configure("data=digits", "model=logistic"))


@pytest.mark.slow
def test_digits_reach_what_scikit_learn_s_net_of_the_same_size_reaches(train: Any) -> None:
    found = [
        train("experiment=digits_mlp", f"seed={seed}", "trainer=cpu", into=str(seed))["metrics"]["test/acc"]
        for seed in range(1, 11)
    ]
    parts = split_and_scale(*load_digits(return_X_y=True))
    twins = [
        MLPClassifier((256,), batch_size=32, learning_rate_init=3e-3, alpha=0.0, max_iter=60, random_state=seed)
        .fit(*parts["train"])
        .score(*parts["test"])
        for seed in range(1, 11)
    ]
    assert np.mean(found) >= 0.97
    interval = mean_interval(found)
    assert interval is not None
    assert interval.low >= 0.97
    assert np.mean(found) == pytest.approx(np.mean(twins), abs=0.01)
