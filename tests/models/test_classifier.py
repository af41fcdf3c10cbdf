from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression as SklearnLogistic
from torch.nn import functional as F

from probeta.data.batch import LabelledBatch
from probeta.data.labelled import Split
from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError
from probeta.models.classifier import LogisticRegression, MLPClassifier

SPEC = PointsSpec(in_features=2, classes=3, class_counts=(6, 3, 1))


def batch(count: int = 11, classes: int = 3) -> LabelledBatch:
    generator = torch.Generator().manual_seed(3)
    return LabelledBatch(torch.randn(count, 2, generator=generator), torch.arange(count) % classes)


@pytest.mark.parametrize("weight", [None, "balanced", [1.0, 2.5, 0.3]])
def test_the_loss_is_torch_s_weighted_cross_entropy(weight) -> None:
    model = MLPClassifier(SPEC, width=5, class_weight=weight).double()
    data = batch()
    data = LabelledBatch(data.x.double(), data.y)
    measured = model.measure(data)
    weights = (
        {None: None, "balanced": torch.tensor([10 / 18, 10 / 9, 10 / 3])}.get(weight)
        if not isinstance(weight, list)
        else torch.tensor(weight)
    )
    expected = F.cross_entropy(model(data.x), data.y, weight=None if weights is None else weights.double())
    assert torch.isclose(measured.objective / measured.weight, expected, rtol=1e-6)


def test_the_sums_of_two_batches_make_the_metrics_of_all() -> None:
    model, data = MLPClassifier(SPEC, width=5), batch()
    halves = [LabelledBatch(data.x[a:b], data.y[a:b]) for a, b in ((0, 4), (4, 11))]
    sums = [model.measure(half).sums for half in halves]
    together = model.summarize({name: sums[0][name] + sums[1][name] for name in sums[0]})
    logits = model(data.x)
    assert float(together["loss"]) == pytest.approx(F.cross_entropy(logits, data.y).item(), rel=1e-5)
    assert float(together["acc"]) == pytest.approx(np.mean((logits.argmax(1) == data.y).numpy()))


def test_logistic_regression_is_binary_cross_entropy_of_one_score() -> None:
    model = LogisticRegression(PointsSpec(2, 2, (5, 6)))
    data = batch(classes=2)
    measured = model.measure(data)
    score = model.net(data.x).squeeze(1)
    expected = F.binary_cross_entropy_with_logits(score, data.y.float(), reduction="sum")
    assert torch.isclose(measured.objective, expected, rtol=1e-5)
    with pytest.raises(ConfigError, match="two classes"):
        LogisticRegression(SPEC)


def test_logistic_regression_reaches_scikit_learn_s_optimum(train) -> None:
    result = train(
        "data=separable", "data.margin=-0.2", "model=logistic", "optimizer.lr=2.0", "trainer.max_epochs=300",
        "callbacks=none", "trainer=cpu",
    )  # fmt: skip
    from probeta.data.separable import SeparableData

    data = SeparableData(margin=-0.2)
    data.setup()
    x, y = (t.numpy() for t in data.splits["train"])
    twin = SklearnLogistic(C=1e6, max_iter=1000).fit(x, y)
    loss = -np.mean(np.log(twin.predict_proba(x)[np.arange(len(y)), y]))
    assert result["metrics"]["train/loss"] == pytest.approx(loss, abs=1e-3)
    assert result["metrics"]["train/acc"] == pytest.approx(twin.score(x, y), abs=0.011)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "figure"),
    [
        ([], 0.9375),
        (["optimizer.momentum=0.9", "trainer.max_epochs=400", "callbacks.early_stopping.patience=30"], 0.996),
    ],
)
def test_the_notebook_s_accuracy_on_moons_over_five_seeds(train, overrides: list[str], figure: float) -> None:
    accuracies = [
        train("experiment=moons_mlp", f"seed={seed}", "trainer=cpu", *overrides, into=f"s{seed}")["metrics"]["test/acc"]
        for seed in range(1, 6)
    ]
    assert np.mean(accuracies) == pytest.approx(figure, abs=0.01)


def test_a_boundary_of_three_classes_says_which_is_most_probable_where() -> None:
    from probeta.figures.boundary import boundary_figure
    from probeta.models.artifacts import boundary

    x, y = torch.tensor([[-3.0, -3.0], [3.0, -3.0], [0.0, 3.0]]), torch.arange(3)
    net = torch.nn.Linear(2, 3)
    with torch.no_grad():
        net.weight.copy_(x)
        net.bias.copy_(-x.square().sum(1) / 2)  # the nearest of the three points
    arrays = boundary(net, {"train": Split(x, y)}, torch.device("cpu"))
    corners = arrays["predicted"][0, 0], arrays["predicted"][0, -1], arrays["predicted"][-1, 60]
    assert corners == (0, 1, 2)
    texts = [text.get_text() for text in boundary_figure("three", **arrays).axes[0].get_legend().get_texts()]
    assert [name for name in texts if name.startswith("class")] == ["class 0", "class 1", "class 2"]
