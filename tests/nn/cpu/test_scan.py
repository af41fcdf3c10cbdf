"""The hand-written LSTM gradients against numeric ones, and against the explicit loop's."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from probeta.nn.attention import Additive
from probeta.nn.cpu import set_enabled
from probeta.nn.cpu.matmul import fast_float32, linear, onednn_keeps_float32
from probeta.nn.cpu.recurrent import covers
from probeta.nn.cpu.scan import AttentiveScan, LSTMScan
from probeta.nn.decoder import Decoder
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq

SOURCE = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 2, 0, 0], [1, 4, 9, 2, 0]])
TARGET = torch.tensor([[1, 4, 5, 6], [1, 7, 0, 0], [1, 3, 9, 0]])


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [4, 2, 3]])
def test_gradients_of_the_lstm_are_numeric_gradients(reverse: bool, lengths: list[int] | None) -> None:
    mask = None if lengths is None else torch.arange(4)[None] < torch.tensor(lengths)[:, None]
    assert torch.autograd.gradcheck(
        lambda *args: LSTMScan.apply(*args, mask, reverse, None), (leaf(4, 3, 20), leaf(20, 5), leaf(3, 5), leaf(3, 5))
    )


def test_gradients_of_the_attentive_lstm_are_numeric_gradients() -> None:
    mask = torch.arange(5)[None] < torch.tensor([5, 2, 3])[:, None]
    leaves = (leaf(4, 3, 12), leaf(3, 5, 12), leaf(3, 5, 7), leaf(12, 3), leaf(7, 3), leaf(7), leaf(3, 3), leaf(3, 3))
    assert torch.autograd.gradcheck(
        lambda z, p, keys, *rest: AttentiveScan.apply(z, p, keys, mask, *rest, None), leaves, atol=1e-5
    )


def build(attention: Any, encoder: dict[str, Any], decoder: dict[str, Any]) -> Seq2Seq:
    torch.manual_seed(2)
    return Seq2Seq(
        10, 11, 0, 6, partial(Encoder, embedding_size=4, **encoder), partial(Decoder, embedding_size=4, **decoder),
        attention,
    ).double()  # fmt: skip


@pytest.mark.parametrize("forced", [None, [True, True, False, True], [True, False, False, False]])
@pytest.mark.parametrize("attention", [None, Additive])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_scan_and_loop_give_the_same_logits_and_gradients(
    forced: list[bool] | None, attention: Any, bidirectional: bool, tied: bool
) -> None:
    net = build(attention, {"bidirectional": bidirectional, "dropout": 0.3}, {"dropout": 0.2, "tied_embeddings": tied})
    given = None if forced is None else torch.tensor(forced)
    assert covers(net.train().decoder)
    results = []
    for on in (True, False):
        with set_enabled(on):
            logits = net(SOURCE, TARGET, given)
            net.zero_grad()
            (logits.logsumexp(-1).sum() + logits[..., 3].sum()).backward()
        results.append((logits.detach(), {k: p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}))
    (fast, fast_grads), (slow, slow_grads) = results
    torch.testing.assert_close(fast, slow)
    assert fast_grads.keys() == slow_grads.keys()
    for key, grad in slow_grads.items():
        torch.testing.assert_close(fast_grads[key], grad, msg=key)


def test_what_the_scan_does_not_cover_takes_the_loop() -> None:
    assert not covers(build(partial(Additive, dropout=0.1), {}, {}).train().decoder)
    assert covers(build(partial(Additive, dropout=0.1), {}, {}).eval().decoder)
    assert not covers(build(Additive, {}, {"input_feeding": True}).decoder)
    with set_enabled(False):
        assert not covers(build(Additive, {}, {}).decoder)


def test_products_handed_to_onednn_keep_float32_precision() -> None:
    """Against float64, no worse than a few times torch's own error; and the setting is put back."""
    a, b = torch.randn(65, 300), torch.randn(300, 130)
    before = torch.backends.mkldnn.matmul.fp32_precision
    with fast_float32():
        fast = a @ b
    exact = a.double() @ b.double()
    assert float((fast - exact).abs().max()) < 5e-4
    assert torch.backends.mkldnn.matmul.fp32_precision == before
    assert isinstance(onednn_keeps_float32(), bool)


@pytest.mark.parametrize("bias", [False, True])
def test_the_fast_linear_map_is_torchs(bias: bool) -> None:
    x, w, b = leaf(2, 3, 5), leaf(4, 5), leaf(4) if bias else None
    leaves = [x, w] + ([b] if b is not None else [])
    got, want = linear(x, w, b), torch.nn.functional.linear(x, w, b)
    torch.testing.assert_close(got, want)
    pull = torch.randn_like(want)
    torch.testing.assert_close(torch.autograd.grad(got, leaves, pull), torch.autograd.grad(want, leaves, pull))


def test_autocast_stays_near_float32() -> None:
    net = build(Additive, {}, {}).float()
    exact = net(SOURCE, TARGET)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near = net(SOURCE, TARGET)
        near.float().sum().backward()
    torch.testing.assert_close(near.float(), exact, atol=0.05, rtol=0.05)
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in net.parameters())
