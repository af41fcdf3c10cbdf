"""Layers in one call against the loop over steps; on a CPU the same calls of torch compute them."""

from __future__ import annotations

import itertools

import pytest
import torch

from probeta.nn import cudnn
from probeta.nn.rnn import GATES, Recurrent

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("masked", [False, True])
def test_one_call_equals_the_loop(cell: str, bidirectional: bool, masked: bool, device: str) -> None:
    torch.manual_seed(0)
    net = Recurrent(cell, 3, 5, layers=2, bidirectional=bidirectional).double().to(device)
    x = torch.randn(4, 6, 3, dtype=torch.float64, device=device, requires_grad=True)
    lengths = torch.tensor([6, 2, 4, 1] if masked else [6, 6, 6, 6])
    mask = torch.arange(6, device=device) < lengths.to(device)[:, None] if masked else None
    parts = 2 if cell == "lstm" else 1
    states = [
        tuple(torch.randn(4, 5, dtype=torch.float64, device=device, requires_grad=True) for _ in range(parts))
        for _ in net.cells
    ]
    if mask is not None:
        assert torch.equal(found := cudnn.lengths_of(mask), lengths), found
    leaves = [x, *net.parameters(), *itertools.chain(*states)]
    looped = net(x, states, mask)
    outputs, final = cudnn.run_layers(net, x, states, mask, lengths)
    weights = torch.randn_like(outputs)

    def total(outputs: torch.Tensor, final: tuple[tuple[torch.Tensor, ...], ...]) -> torch.Tensor:
        return (outputs * weights).sum() + sum((s**2).sum() for part in final for s in part)

    torch.testing.assert_close(outputs, looped.outputs)
    for a, b in zip(itertools.chain(*final), itertools.chain(*looped.states), strict=True):
        torch.testing.assert_close(a, b)
    one, other = (torch.autograd.grad(total(*run), leaves) for run in ((outputs, final), looped[:2]))
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("mask", [[[0, 1, 1]], [[1, 0, 1]], [[0, 0, 0]]])
def test_padding_elsewhere_than_at_the_end_is_left_to_the_loop(mask: list[list[int]]) -> None:
    assert cudnn.lengths_of(torch.tensor(mask, dtype=torch.bool)) is None


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_a_layer_that_is_not_watched_is_one_call(cell: str) -> None:
    net, x = Recurrent(cell, 3, 5, fused=True).cuda(), torch.randn(2, 4, 3, device="cuda")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        net(x, mask=torch.tensor([[True] * 4, [True, True, False, False]], device="cuda"))
    assert sum(event.key == "aten::_cudnn_rnn" for event in profile.key_averages()) == 1
