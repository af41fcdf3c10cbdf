"""The share of saturated units against counting slopes that autograd gives."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from probeta.callbacks.saturation import Saturation
from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError
from probeta.models.classifier import MLPClassifier
from probeta.nn.mlp import ACTIVATIONS


def epoch(callback: Saturation, model: MLPClassifier, batches: list[torch.Tensor], number: int = 0) -> dict[str, Any]:
    trainer: Any = SimpleNamespace(current_epoch=number)
    callback.on_fit_start(trainer, model)
    callback.on_train_epoch_start(trainer, model)
    model.epoch_metrics.clear()
    for x in batches:
        model(x)
    callback.on_train_epoch_end(trainer, model)
    callback.on_fit_end(trainer, model)
    return {name: float(value) for name, value in model.epoch_metrics.items()}


@pytest.mark.parametrize(("name", "steepest"), [("sigmoid", 0.25), ("tanh", 1.0)])
def test_a_unit_counts_where_its_slope_is_a_twentieth_of_the_steepest(name: str, steepest: float) -> None:
    torch.manual_seed(0)
    model = MLPClassifier(PointsSpec(2, 2, (5, 5)), width=7, depth=2, activation=name, init_scale=6.0).train()
    batches = [torch.randn(9, 2), torch.randn(4, 2)]
    found = epoch(Saturation(), model, batches)
    h = torch.cat(batches)
    for i, layer in enumerate(model.net.hidden):
        z = layer.linear(h).detach().requires_grad_(True)
        y = ACTIVATIONS[name](z)
        [slope] = torch.autograd.grad(y.sum(), [z])
        expected = (slope < 0.05 * steepest).double().mean()
        assert 0 < float(expected) < 1
        assert found[f"saturated/hidden.{i}"] == pytest.approx(float(expected))
        h = y.detach()


def test_a_relu_counts_where_it_is_0_at_every_point_of_the_epoch() -> None:
    torch.manual_seed(1)
    model = MLPClassifier(PointsSpec(2, 2, (5, 5)), width=8, depth=2, activation="relu").train()
    batches = [torch.randn(9, 2), torch.randn(4, 2)]
    with torch.no_grad():
        model.net.hidden[0].linear.bias[:3] -= 100.0
        # Off in the second batch alone is not off.
        model.net.hidden[0].linear.weight[3] = torch.tensor([1.0, 0.0])
        model.net.hidden[0].linear.bias[3] = -batches[1][:, 0].max()
        batches[0][0, 0] = batches[1][:, 0].max() + 1
    found = epoch(Saturation(), model, batches)
    h = torch.cat(batches)
    for i, layer in enumerate(model.net.hidden):
        h = torch.relu(layer.linear(h))
        dead = [all(value == 0 for value in unit) for unit in h.T.tolist()]
        assert found[f"saturated/hidden.{i}"] == sum(dead) / 8
    assert found["saturated/hidden.0"] >= 3 / 8


def test_nothing_is_counted_in_evaluation_or_between_the_epochs() -> None:
    model = MLPClassifier(PointsSpec(2, 2, (5, 5)), activation="tanh")
    assert epoch(Saturation(), model.eval(), [torch.randn(3, 2)]) == {}
    assert epoch(Saturation(every_n_epochs=2), model.train(), [torch.randn(3, 2)], number=1) == {}
    assert not any(module._forward_hooks for module in model.modules())


def test_a_slope_that_is_no_share_is_refused() -> None:
    with pytest.raises(ConfigError, match="slope"):
        Saturation(1.5)
