"""Weight norms against the flattened parameters."""

from __future__ import annotations

import pytest
import torch

from probeta.callbacks.weight_norm import WeightNorm, weight_norms
from probeta.errors import ConfigError
from probeta.nn.mlp import MLP


def test_norms_are_those_of_the_flattened_parameters() -> None:
    model = MLP(3, 2, width=4, depth=2)
    norms = weight_norms(model)
    for name in ("hidden.0.linear", "hidden.1.linear", "output"):
        flat = torch.cat([p.detach().flatten() for p in model.get_submodule(name).parameters()])
        assert float(norms[name]) == pytest.approx(float(flat.norm()), rel=1e-6)
    everything = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert float(norms["total"]) == pytest.approx(float(everything.norm()), rel=1e-6)
    assert not norms["total"].requires_grad


def test_an_interval_of_no_epochs_is_refused() -> None:
    with pytest.raises(ConfigError, match="every_n_epochs=0"):
        WeightNorm(0)
