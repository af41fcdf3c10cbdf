"""Recorded gradients are total derivatives, whichever way a model computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from probeta.nn.cpu import set_enabled
from probeta.probes.recorder import GradientRecorder
from tests.probes.objectives import Classified, LastState, mlp, points, sequences


def test_norms_are_those_of_retained_gradients() -> None:
    model, inputs = mlp(depth=3), points()
    with GradientRecorder(model) as recorder:
        loss = model(*inputs)
    h, kept = inputs[0], {}
    for i, layer in enumerate(model.net.hidden):
        kept[f"net.hidden.{i}.linear"] = z = layer.linear(h)
        z.retain_grad()
        h = torch.tanh(z)
    kept["net.output"] = z = model.net.output(h)
    z.retain_grad()
    torch.nn.functional.cross_entropy(z, inputs[1]).backward()
    expected = {name: float(z.grad.norm()) for name, z in kept.items() if z.grad is not None}
    assert recorder.norms(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_state_gradients_are_total_derivatives(cell: str) -> None:
    """Against pushing each state a little on its way to the next step."""
    model = Classified(LastState(cell)).double()
    x, y = sequences(length=5)
    inputs = (x.double(), y)
    with GradientRecorder(model) as recorder:
        loss = model(*inputs)
    [norms] = recorder.step_norms(loss).values()
    layer = model.net.recurrent.cells[0]
    step = type(layer).step
    for t in range(5):
        push = torch.zeros(5, 4, dtype=torch.float64, requires_grad=True)
        count = iter(range(5))

        def pushed(z: Tensor, state: tuple[Tensor, ...], push: Tensor = push, t: int = t) -> tuple[Tensor, ...]:
            new = step(layer, z, state)
            return (new[0] + push, *new[1:]) if next(count) == t else new  # noqa: B023

        layer.__dict__["step"] = pushed
        [gradient] = torch.autograd.grad(model(*inputs), [push])
        del layer.__dict__["step"]
        assert norms[t] == pytest.approx(float(gradient.norm()))


def test_the_model_is_as_before_afterwards() -> None:
    model, inputs = Classified(LastState("lstm", 2, True)), sequences()
    loss = model(*inputs)
    with GradientRecorder(model) as recorder:
        assert torch.equal(model(*inputs), loss)
    assert recorder.recorded
    assert not any(module._forward_hooks for module in model.modules())
    assert not any("step" in vars(module) for module in model.modules())


def test_without_fast_paths_a_layer_that_may_take_them_gives_its_states() -> None:
    model = LastState("lstm")
    model.recurrent.fused = True
    assert not model.recurrent(sequences()[0]).steps
    with set_enabled(False):
        assert model.recurrent(sequences()[0]).steps[0]
    assert not model.recurrent(sequences()[0]).steps
