"""Multi-head attention against a plain loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from probeta.errors import ConfigError
from probeta.nn.cpu import attention as fast
from probeta.nn.dropout import reseed
from probeta.nn.multi_head import CrossAttention, KeysValues, SelfAttention, additive_mask

KEEP = torch.tensor([[True, True, True, True], [True, True, False, False], [True, True, True, False]])


def attend_by_loop(q: Tensor, k: Tensor, v: Tensor, heads: int, keep: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    """Contexts `(B, T, D)` and weights `(B, h, T, S)`, one score at a time."""
    B, T, D = q.shape
    S, d = k.shape[1], D // heads
    context, weights = torch.zeros(B, T, D).to(q), torch.zeros(B, heads, T, S).to(q)
    for b in range(B):
        for h in range(heads):
            part = slice(h * d, (h + 1) * d)
            for t in range(T):
                seen = [s for s in range(S) if keep[b, s] and not (causal and s > t)]
                scores = [math.exp(float(q[b, t, part] @ k[b, s, part]) / math.sqrt(d)) for s in seen]
                for s, score in zip(seen, scores, strict=True):
                    weights[b, h, t, s] = score / sum(scores)
                    context[b, t, part] += weights[b, h, t, s] * v[b, s, part]
    return context, weights


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_the_loop(causal: bool, fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "LONG", 0 if fused else 10**9)
    torch.manual_seed(0)
    attention = SelfAttention(6, 3, causal=causal).double()
    x = torch.randn(3, 4, 6, dtype=torch.float64)
    keep = torch.ones_like(KEEP) if causal else KEEP
    mask = None if causal else additive_mask(keep, x.dtype)[:, None, None]
    record: list[Tensor] = []
    with torch.no_grad():
        got = attention(x, mask)
        q, k, v = attention.query_key_value(x).chunk(3, -1)
        context, weights = attend_by_loop(q, k, v, 3, keep, causal)
        torch.testing.assert_close(got, attention.output(context))
        torch.testing.assert_close(attention(x, mask, record), got)
    torch.testing.assert_close(record[0], weights)


@pytest.mark.parametrize("fused", [False, True])
def test_cross_attention_is_the_loop(fused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "LONG", 0 if fused else 10**9)
    torch.manual_seed(1)
    attention = CrossAttention(6, 2).double()
    x = torch.randn(3, 5, 6, dtype=torch.float64)
    keys, values = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    split = [y.view(3, 4, 2, 3).transpose(1, 2) for y in (keys, values)]
    with torch.no_grad():
        got = attention(x, KeysValues(*split), additive_mask(KEEP, x.dtype)[:, None, None])
        context, _ = attend_by_loop(attention.query(x), keys, values, 2, KEEP, causal=False)
        torch.testing.assert_close(got, attention.output(context))


def test_a_row_that_may_look_nowhere_is_no_nan() -> None:
    attention = SelfAttention(4, 2)
    mask = additive_mask(torch.zeros(1, 3, dtype=torch.bool), torch.float32)[:, None, None]
    assert bool(attention(torch.randn(1, 3, 4), mask).isfinite().all())


def test_dropped_weights_are_the_same_at_the_same_step_and_draw_nothing_from_the_global_generator() -> None:
    attention = SelfAttention(4, 2, dropout=0.5)
    x = torch.randn(2, 5, 4)
    before = torch.get_rng_state()
    reseed(attention, 0, 1)
    first = attention(x)
    assert torch.equal(attention(x), first)
    reseed(attention, 0, 2)
    assert not torch.equal(attention(x), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ConfigError, match=r"model.heads=4 .* model.hidden_size=6"):
        SelfAttention(6, 4)
