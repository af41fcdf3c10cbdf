"""Every bug, in every layer of every kind of net, is caught and named."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from probeta.errors import ConfigError
from probeta.probes.bugs import BUGS, find_culprits, inject
from probeta.probes.finite_differences import list_layers
from probeta.probes.gradcheck import torch_gradcheck
from probeta.probes.layer_checks import check_gradients
from tests.probes.objectives import Classified, LastState, mlp, points, sequences


def nets() -> dict[str, tuple[nn.Module, tuple[Any, ...]]]:
    torch.manual_seed(3)
    return {
        "mlp": (mlp(depth=3), points()),
        "normed": (mlp(layer_norm=True, residual=True, depth=3), points()),
        "batch_norm": (mlp(batch_norm=True), points()),
        **{cell: (Classified(LastState(cell, 1, True)), sequences()) for cell in ("rnn", "lstm", "gru")},
    }


@pytest.mark.parametrize("kind", BUGS)
@pytest.mark.parametrize("net", nets())
def test_a_bug_in_any_layer_is_caught_and_that_layer_named(net: str, kind: str) -> None:
    model, inputs = nets()[net]
    for layer in list_layers(model):
        with inject(model, inputs, layer.name, kind):
            checks = check_gradients(model, inputs, count=10)
            assert find_culprits(model, inputs, checks) == [layer.name]
    assert all(check.right for check in check_gradients(model, inputs, count=20))


def test_torch_gradcheck_sees_the_same_broken_layer() -> None:
    model, inputs = mlp(depth=3), points()
    with inject(model, inputs, "net.output", "scale"):
        assert not torch_gradcheck(model, inputs)["net.output"]


def test_a_bug_leaves_the_loss_as_it_was() -> None:
    model, inputs = mlp(), points()
    loss = model(*inputs)
    for kind in BUGS:
        with inject(model, inputs, "net.hidden.1.linear", kind):
            torch.testing.assert_close(model(*inputs), loss, rtol=1e-6, atol=0)


def test_unknown_bugs_and_layers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"probe\.inject_bug.*detach"), inject(mlp(), points(), "", "detatch"):
        pass
    with pytest.raises(ConfigError, match=r"probe\.bug_layer"), inject(mlp(), points(), "net.outptu", "sign"):
        pass
