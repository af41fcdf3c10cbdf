"""The chunked loss against torch's own over all logits."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from probeta.nn.loss import plain_cross_entropy, projected_cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("bias", [True, False])
def test_loss_and_gradients_equal_torchs(smoothing: float, chunk: int, bias: bool) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    w = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    b = torch.randn(9, dtype=torch.float64, requires_grad=True) if bias else None
    y = torch.tensor([[1, 8, 0, 3, 0], [2, 2, 7, 0, 0]])
    total, count = projected_cross_entropy(x, w, b, y, pad_id=0, label_smoothing=smoothing, chunk=chunk)
    logits = F.linear(x, w, b)
    plain, tokens = plain_cross_entropy(logits, y, 0, smoothing)
    want = F.cross_entropy(logits.transpose(1, 2), y, ignore_index=0, reduction="sum", label_smoothing=smoothing)
    assert int(count) == int(tokens) == 6
    torch.testing.assert_close(total, want)
    torch.testing.assert_close(plain, want)
    leaves = [x, w] + ([b] if b is not None else [])
    got = torch.autograd.grad(3 * total, leaves)
    for g, e in zip(got, torch.autograd.grad(3 * want, leaves), strict=True):
        torch.testing.assert_close(g, e)


def test_only_what_is_asked_for_is_differentiated() -> None:
    x, w = torch.randn(3, 4), torch.randn(9, 4, requires_grad=True)
    y = torch.tensor([1, 2, 3])
    total, _ = projected_cross_entropy(x, w, None, y, 0)
    total.backward()
    assert w.grad is not None
    with torch.no_grad():
        assert not projected_cross_entropy(x, w, None, y, 0)[0].requires_grad


def test_extreme_logits_stay_finite() -> None:
    x = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    w = torch.tensor([[1.0], [-1.0], [0.5]])
    total, _ = projected_cross_entropy(x, w, None, torch.tensor([2, 1]), 0)
    torch.testing.assert_close(total, F.cross_entropy(x @ w.t(), torch.tensor([2, 1]), reduction="sum"))
    total.backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_batch_of_padding_alone_costs_nothing() -> None:
    total, count = projected_cross_entropy(torch.randn(2, 4), torch.randn(9, 4), None, torch.zeros(2).long(), 0)
    assert float(total) == 0.0
    assert int(count) == 0


def test_plain_loss_runs_stacked() -> None:
    x, w, y = torch.randn(5, 4), torch.randn(3, 9, 4), torch.tensor([1, 0, 3, 8, 0])
    stacked = torch.func.vmap(lambda m: plain_cross_entropy(x @ m.t(), y, 0, 0.1)[0])(w)
    for k in range(3):
        torch.testing.assert_close(stacked[k], plain_cross_entropy(x @ w[k].t(), y, 0, 0.1)[0])
