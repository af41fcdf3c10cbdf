"""Multi-head attention as the Transformer uses it (Vaswani et al. 2017, arXiv 1706.03762, section 3.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.errors import ConfigError
from probeta.nn.attention import Hook
from probeta.nn.cpu.attention import takes_kernel
from probeta.nn.dropout import Dropout
from probeta.nn.positions import RotaryPositions


class KeysValues(NamedTuple):
    """What queries read. Two tensors, since products of slices of one would copy it first."""

    keys: Tensor
    """`(B, h, S, d)`."""
    values: Tensor
    """`(B, h, S, d)`."""


def additive_mask(keep: Tensor, dtype: torch.dtype) -> Tensor:
    """`keep (…)` bool → 0 where attention may look and the most negative number elsewhere."""
    # Not -inf: a row that may look nowhere then has even weights instead of nan.
    return torch.zeros(keep.shape, dtype=dtype, device=keep.device).masked_fill(~keep, torch.finfo(dtype).min)


def projection(width: int, maps: int) -> nn.Linear:
    """`maps` maps D → D in one matrix, Xavier-uniform with gain 1/√2 as torch starts them, biases 0."""
    linear = nn.Linear(width, maps * width)
    bound = (1.5 / width) ** 0.5
    # Not Xavier of the joint matrix: its height is not a single map's fan-out.
    nn.init.uniform_(linear.weight, -bound, bound)
    nn.init.zeros_(linear.bias)
    return linear


class MultiHeadAttention(nn.Module):
    """Concat_h(softmax(q_h k_hᵀ / √d + mask) v_h) W_o (eq. 1 and section 3.2.2).

    Dropout of the weights takes its masks from `Dropout`; from torch's global generator where `nn.cpu` takes
    `scaled_dot_product_attention` on an accelerator.

    Raises `ConfigError` when `heads` does not divide `width`.
    """

    hook: Hook | None = None
    """See `interventions.changes.intervene`."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise ConfigError.value("model.heads", heads, f"a divisor of model.hidden_size={width}")
        self.heads = heads
        self.dropout = Dropout(dropout)
        self.attention_dropout = dropout
        self.output = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """`(B, T, parts·D)` → `parts` tensors `(B, heads, T, d)`."""
        B, T, width = x.shape
        return x.view(B, T, parts, self.heads, width // (parts * self.heads)).permute(2, 0, 3, 1, 4).unbind(0)

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool, record: list[Tensor] | None
    ) -> Tensor:
        """`q (B, h, T, d)`, `k`, `v (B, h, S, d)`, additive `mask (B, 1, 1, S)` → `(B, T, D)`.

        `record` gets the weights `(B, h, T, S)` before dropout.
        """
        p = self.attention_dropout if self.training and self.dropout.active else 0.0
        if record is None and self.hook is None and takes_kernel(q, k, p):
            context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p, is_causal=causal)
        else:
            scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-2, -1))
            if mask is not None:
                scores = scores + mask
            if causal:
                T, S = scores.shape[-2:]
                past = torch.ones(T, S, dtype=torch.bool, device=q.device).tril(S - T)
                scores = scores + additive_mask(past, scores.dtype)
            weights = torch.softmax(scores, dim=-1)
            if self.hook is not None:
                weights = self.hook(weights, v, 0)
            if record is not None:
                record.append(weights)
            context = torch.matmul(self.dropout(weights), v)
        joined: Tensor = self.output(context.transpose(1, 2).flatten(2))
        return joined


class SelfAttention(MultiHeadAttention):
    """Every token reads the sentence that it stands in, or (`causal`) what stands before it."""

    def __init__(
        self, width: int, heads: int, dropout: float = 0.0, causal: bool = False, rotary: bool = False,
        max_length: int = 512,
    ) -> None:  # fmt: skip
        super().__init__(width, heads, dropout)
        self.causal = causal
        self.query_key_value = projection(width, 3)
        self.rotary = RotaryPositions(width // heads, max_length) if rotary else None

    def forward(self, x: Tensor, mask: Tensor | None = None, record: list[Tensor] | None = None) -> Tensor:
        """`x (B, T, D)`, additive `mask (B, 1, 1, T)` → `(B, T, D)`."""
        q, k, v = self.split(self.query_key_value(x), 3)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        return self.attend(q, k, v, mask, self.causal, record)

    def step(self, x: Tensor, cache: KeysValues) -> tuple[Tensor, KeysValues]:
        """`x (B, 1, D)` after the `t` tokens in `cache` → `(B, 1, D)`, the cache with `x`."""
        q, k, v = self.split(self.query_key_value(x), 3)
        if self.rotary is not None:
            start = cache.keys.shape[2]
            q, k = self.rotary(q, start), self.rotary(k, start)
        cache = KeysValues(torch.cat([cache.keys, k], dim=2), torch.cat([cache.values, v], dim=2))
        # All that is cached is the past: nothing to mask.
        return self.attend(q, cache.keys, cache.values, None, False, None), cache


class CrossAttention(MultiHeadAttention):
    """Every target token reads the encoded source. Keys and values come from outside, since they are
    the same at every step and are computed for all layers in one product (see `TransformerDecoder`)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__(width, heads, dropout)
        self.query = projection(width, 1)

    def forward(
        self, x: Tensor, source: KeysValues, mask: Tensor | None = None, record: list[Tensor] | None = None
    ) -> Tensor:
        """`x (B, T, D)`, `source` of length S, additive `mask (B, 1, 1, S)` → `(B, T, D)`."""
        (q,) = self.split(self.query(x), 1)
        return self.attend(q, source.keys, source.values, mask, False, record)
