from __future__ import annotations

import csv

import pytest
import torch

from probeta.callbacks.gradient_norm import gradient_norms, norms_by_layer


def test_norms_are_those_of_the_flattened_gradients() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    model(torch.randn(5, 3)).pow(2).sum().backward()
    norms = gradient_norms(model)
    first = torch.cat([model[0].weight.grad.flatten(), model[0].bias.grad])
    everything = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert float(norms["0"]) == pytest.approx(float(first.norm()), rel=1e-6)
    assert float(norms["total"]) == pytest.approx(float(everything.norm()), rel=1e-6)
    assert set(norms) == {"0", "2", "total"}


def test_norms_of_several_members_are_those_of_each_alone() -> None:
    names = ("net.hidden.0.linear.weight", "net.hidden.0.linear.bias", "net.output.weight", "scale")
    tensors = {name: torch.rand(3, *size) for name, size in zip(names, ((5, 2), (5,), (2, 5), ()), strict=True)}
    together = norms_by_layer(tensors, per_member=True)
    assert list(together) == ["hidden.0.linear", "output", "scale", "total"]
    for member in range(3):
        alone = norms_by_layer({name: tensor[member] for name, tensor in tensors.items()})
        assert {layer: norm[member] for layer, norm in together.items()} == alone


def test_they_are_measured_before_clipping_and_change_nothing(train, tmp_path) -> None:
    settings = [
        "data=moons",
        "data.n_samples=60",
        "trainer=cpu",
        "trainer.max_epochs=5",
        "trainer.gradient_clip_val=1e-3",
    ]
    with_norms = train(*settings, "callbacks.gradient_norm.every_n_steps=2", into="with")
    without = train(*settings, "callbacks=learning_rate", into="without")
    # With callbacks=learning_rate there is no early stopping either, and five epochs are too few for it to act.
    assert with_norms["metrics"]["train/loss"] == without["metrics"]["train/loss"]
    with (tmp_path / "with" / "metrics.csv").open() as file:
        norms = [row["grad_norm/total"] for row in csv.DictReader(file)]
    assert [bool(norm) for norm in norms] == [True, False, True, False, True]
    assert float(norms[0]) > 1e-2, "the norm after clipping would be 1e-3"
