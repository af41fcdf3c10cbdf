"""The batched depth probe against one net at a time, and against norms that are known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from probeta.errors import ConfigError
from probeta.nn.mlp import ACTIVATIONS
from probeta.probes.depth import INITS, DepthProbe, draw_chain


@pytest.mark.parametrize(("residual", "layer_norm"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("init", INITS)
def test_every_norm_is_that_of_a_plain_loop_over_single_nets(init: str, residual: bool, layer_norm: bool) -> None:
    activations, depths, width = ("gelu", "sigmoid", "relu"), (1, 3, 5), 7
    probe = DepthProbe(
        depths, activations, width=width, seeds=3, init=init, scale=1.3,
        residual=residual, layer_norm=layer_norm, dtype="float64",
    )  # fmt: skip
    measured = probe.norms(11)
    chain = draw_chain(5, width, [11, 12, 13], init, 1.3, torch.float64)
    for a, activation in enumerate(activations):
        for depth in depths:
            for s in range(3):
                h = chain.x[s : s + 1].clone().requires_grad_(True)
                states = [h]
                for weight, bias in zip(chain.weight[5 - depth :, s], chain.bias[5 - depth :, s], strict=True):
                    z = F.linear(h, weight, bias)
                    y = ACTIVATIONS[activation](F.layer_norm(z, (width,)) if layer_norm else z)
                    h = h + y if residual else y
                    h.retain_grad()
                    states.append(h)
                h.sum().backward()
                expected = torch.stack([state.grad.norm() for state in states if state.grad is not None])
                torch.testing.assert_close(measured.norms[depth][a, s], expected)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_an_orthogonal_linear_chain_scales_the_gradient_by_its_gain_at_each_layer(scale: float) -> None:
    probe = DepthProbe([4, 9], ["identity"], width=6, seeds=2, init="orthogonal", scale=scale, dtype="float64")
    measured = probe.norms(0)
    for depth in (4, 9):
        exact = [math.sqrt(6) * scale ** (depth - layer) for layer in range(depth + 1)]
        expected = torch.tensor(exact, dtype=torch.float64).expand(2, depth + 1)
        torch.testing.assert_close(measured.norms[depth][0], expected)


def test_a_seed_gives_the_same_net_alone_and_among_others() -> None:
    together = DepthProbe([3], ["tanh"], width=5, seeds=4).norms(7)
    alone = DepthProbe([3], ["tanh"], width=5, seeds=1).norms(9)
    torch.testing.assert_close(together.norms[3][:, 2:3], alone.norms[3])


def test_small_gradients_are_not_lost_to_float32_squares() -> None:
    measured = DepthProbe([40], ["sigmoid"], width=16, seeds=2).norms(0)
    assert (measured.at_input("sigmoid", 40) > 0).all()


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    for init in INITS:
        DepthProbe([2], ["relu"], width=4, seeds=2, init=init).norms(0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("probe.depths", {"depths": [0]}),
        ("probe.depths", {"depths": [2.5]}),
        ("probe.depths", {"depths": []}),
        ("probe.width", {"width": 0}),
        ("probe.seeds", {"seeds": 0}),
        ("probe.scale", {"scale": -1.0}),
        ("probe.init", {"init": "havier"}),
        ("probe.activations", {"activations": ["relu", "sigmod"]}),
        ("probe.depths", {"depths": [10**9], "width": 10**4}),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(key: str, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=key):
        DepthProbe(**settings).norms(0)  # type: ignore[arg-type]


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sigmoid'"):
        DepthProbe(activations=["sigmod"])
