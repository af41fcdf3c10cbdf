"""The batched length probe against one torch net at a time, and against rates that are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from probeta.errors import ConfigError
from probeta.probes.length import LengthNorms, LengthProbe, fit_rate
from probeta.probes.recurrent_nets import draw_nets, gradients

SIZES = {"features": 3, "hidden_size": 5, "classes": 3, "batch_size": 4, "recurrent_scale": 1.7, "gate_bias": 0.9}
CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def measure(cell: str, lengths: Sequence[int], seeds: int, first_seed: int = 0, **sizes: Any) -> LengthNorms:
    return LengthProbe(lengths, [cell], seeds=seeds, **sizes).norms(cell, first_seed)


@pytest.mark.parametrize("cell", CELLS)
def test_weight_and_state_gradients_are_those_of_single_torch_nets(cell: str) -> None:
    lengths = (1, 4, 7)
    measured = measure(cell, lengths, seeds=3, first_seed=5, **SIZES)
    nets = draw_nets(cell, 7, [5, 6, 7], dtype=torch.float64, **SIZES)
    for s in range(3):
        single = CELLS[cell](3, 5, dtype=torch.float64)
        for name, value in nets.parameters.items():
            getattr(single, name).data.copy_(value[s])
        nn.init.zeros_(single.bias_ih)
        nn.init.zeros_(single.bias_hh)
        if cell != "rnn":
            nn.init.constant_(single.bias_ih[5:10], 0.9)  # the forget gate of an LSTM, the update gate of a GRU
        for i, length in enumerate(lengths):
            x = nets.x[s, :, 7 - length :]
            state = [torch.zeros(4, 5, dtype=torch.float64) for _ in range(2 if cell == "lstm" else 1)]
            hidden = []
            for t in range(length):
                new = single(x[:, t], tuple(state) if cell == "lstm" else state[0])
                state = list(new) if cell == "lstm" else [new]
                state[0].retain_grad()
                hidden.append(state[0])
            single.zero_grad()
            F.cross_entropy(state[0] @ nets.output[s].T + nets.bias[s], nets.y[s]).backward()
            assert single.weight_hh.grad is not None
            torch.testing.assert_close(measured.weight[i, s], single.weight_hh.grad.norm())
        expected = [h.grad.norm() for h in reversed(hidden) if h.grad is not None]
        torch.testing.assert_close(measured.state[s], torch.stack(expected))


def test_a_linear_recurrence_has_the_rate_of_its_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tanh and with W_hh = 0.8 Q, Q orthogonal, every step back is a factor of exactly 0.8."""
    monkeypatch.setattr(torch, "tanh", lambda x: x)
    nets = draw_nets("rnn", 9, [0, 1], dtype=torch.float64, **SIZES)
    for weight in nets.parameters["weight_hh"]:
        nn.init.orthogonal_(weight, 0.8)
    _, states = gradients(nets, "rnn", 9)
    norms = torch.stack([parts[0].flatten(1).norm(dim=1) for parts in states[::-1]], dim=1)
    torch.testing.assert_close(norms, norms[:, :1] * 0.8 ** torch.arange(9, dtype=torch.float64))
    torch.testing.assert_close(fit_rate(norms), torch.full((2,), 0.8, dtype=torch.float64))


def test_the_bound_of_pascanu_holds_for_the_tanh_net() -> None:
    for scale in (0.5, 1.0, 3.0):
        measured = measure("rnn", [30], seeds=4, **{**SIZES, "recurrent_scale": scale})
        assert (measured.state <= measured.bound() * (1 + 1e-9)).all()


def test_the_recurrent_scale_turns_vanishing_into_exploding_or_saturating() -> None:
    small = measure("rnn", [40], seeds=8, **{**SIZES, "recurrent_scale": 0.3})
    large = measure("rnn", [40], seeds=8, **{**SIZES, "recurrent_scale": 3.0})
    assert small.rate.max() < 0.5
    assert large.rate.median() > small.rate.max()
    assert small.spectral_radius.max() < 1 < large.largest_singular.min()


def test_the_bound_and_radius_are_of_the_candidate_in_a_gated_cell() -> None:
    nets = draw_nets("gru", 2, [0], dtype=torch.float64, **SIZES)
    candidate = nets.parameters["weight_hh"][0, 10:]
    measured = measure("gru", [2], seeds=1, **SIZES)
    assert float(measured.spectral_radius) == pytest.approx(float(torch.linalg.eigvals(candidate).abs().max()))
    assert float(measured.largest_singular) == pytest.approx(float(torch.linalg.matrix_norm(candidate, 2)))


def test_underflow_is_left_out_of_the_fit() -> None:
    norms = torch.cat([0.5 ** torch.arange(20, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)])
    assert float(fit_rate(norms[None])) == pytest.approx(0.5)


def test_gradients_that_float32_cannot_hold_bend_no_rate() -> None:
    settings = {**SIZES, "recurrent_scale": 0.3}
    single, double = (measure("rnn", [160], seeds=4, dtype=dtype, **settings) for dtype in ("float32", "float64"))
    assert (double.state < torch.finfo(torch.float32).tiny).any(), "the case is none"
    torch.testing.assert_close(single.rate, fit_rate(double.state, torch.float32), rtol=1e-4, atol=0.0)


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("probe.cells", {"cells": ["elman"]}),
        ("probe.lengths", {"lengths": [0, 3]}),
        ("probe.lengths", {"lengths": [10**12]}),
        ("probe.hidden_size", {"hidden_size": 0}),
        ("probe.recurrent_scale", {"recurrent_scale": 0.0}),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(key: str, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=key):
        LengthProbe(**settings).norms("rnn", 0)  # type: ignore[arg-type]
