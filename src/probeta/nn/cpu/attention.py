"""Faster forms of attention.

vᵀ tanh x = 2vᵀ σ(2x) - Σv: on a CPU, torch's sigmoid takes a sixth of the time of its tanh. The doubling is exact, and
is done once for the keys of a sentence and once for each query.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor

from probeta.nn.attention import Additive, Attended, Attention, Read, masked_softmax
from probeta.nn.cpu import enabled, handwritten

LONG = 96 * 96
"""Weights per head from which the fused kernel is faster on a CPU (measured with D 128, 4 heads, AVX-512)."""


def takes_kernel(q: Tensor, k: Tensor, p: float) -> bool:
    """Whether torch's `scaled_dot_product_attention` is faster for `q (…, T, d)`, `k (…, S, d)` and dropout `p`.

    On a CPU it is not for short sentences, and it has no dropout there (torch then falls back to products of its own).
    """
    long = q.shape[-2] * k.shape[-2] >= LONG
    return (q.device.type != "cpu" or (long and not p)) and handwritten()


def sums_values(attention: Attention) -> bool:
    """Whether the context is Σ_s α_ts v_s of the `values` given: then W Σ α v = Σ α (W v)."""
    return type(attention).forward is Attention.forward


def is_additive(attention: Attention) -> TypeGuard[Additive]:
    """Whether a decoder's faster forms apply: no other kind has one, and none asks a hook."""
    return type(attention) is Additive and attention.hook is None


def get_query_weight(attention: Attention) -> Tensor | None:
    """`(A, Q)`: what gives `read_additive` its doubled queries; `None` for every other kind of attention."""
    return 2 * attention.query.weight if type(attention) is Additive else None


def read_additive(attention: Additive, asked: Tensor, attended: Attended, offset: int = 0) -> tuple[Tensor, Tensor]:
    """`attention(query, …)` of `asked` = 2Wq, `(B[, T], A)`; `attended` holds doubled keys, 2(Um + b)."""
    keys, values, mask = attended
    v = attention.energy.weight[0]
    single = asked.dim() == 2
    energy = ((asked[:, None] if single else asked)[:, :, None] + keys[:, None]).sigmoid_()
    weights = masked_softmax(torch.matmul(energy, 2 * v) - v.sum(), mask[:, None])
    context = torch.matmul(attention.dropout(weights, offset), values)
    return (context[:, 0], weights[:, 0]) if single else (context, weights)


def prepare_reader(attention: Attention, attended: Attended) -> Read | None:
    """`attention` of one batch of sources, for the queries of all steps; `None` where it has no faster form."""
    if not (enabled() and is_additive(attention)):
        return None
    keys, values, mask = attended
    doubled = (2 * keys, values, mask)
    return lambda query, offset: read_additive(attention, 2 * attention.query(query), doubled, offset)
