"""Attention over an encoder's outputs, the memory m: each kind has a score of its own, the rest is shared.

`keys = attention.prepare(memory)` is computed once per sentence; `attention(query, keys, values, mask)` once per
decoder step (or for all steps, where the queries are known).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from probeta.errors import ConfigError, check_whole
from probeta.nn.cpu.matmul import linear
from probeta.nn.dropout import Dropout

Attended = tuple[Tensor, ...]
"""`(keys, values, mask)` of a batch of sources; `()` without attention."""

Read = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""Query and offset → context and weights: an `Attention` of one batch of sources."""

Hook = Callable[[Tensor, Tensor, int], Tensor]
"""Weights `(B, h, T, S)`, values `(B, h, S, d)` and the number of the first of the T steps → the weights to read with.
While a module has one it computes the explicit formula, whatever is faster."""


def masked_softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax over the last dimension of `scores (…, S)`, exactly 0 where `mask` (broadcast) is False."""
    if mask is None:
        return torch.softmax(scores, dim=-1)
    lowest = torch.finfo(scores.dtype).min
    weights = torch.softmax(scores.masked_fill(~mask, lowest), dim=-1)
    return weights.masked_fill(~mask, 0.0)


def read_together(read: Read, sentences: int) -> Read:
    """`read` for queries `(sentences·k, Q)`: the k prefixes of a sentence are k queries of its row."""

    def together(query: Tensor, offset: int) -> tuple[Tensor, Tensor]:
        if len(query) == sentences:
            return read(query, offset)
        context, weights = read(query.view(sentences, -1, query.shape[-1]), offset)
        return context.flatten(0, 1), weights.flatten(0, 1)

    return together


class Attention(nn.Module, ABC):
    """α_t = softmax_s score(q_t, m_s), context_t = Σ_s α_ts m_s (Bahdanau et al. 2015, eqs. 5 and 6).

    Both run over the positions that `mask` allows. Shapes: query `(B, Q)` or `(B, T, Q)`, memory `(B, S, M)`, mask
    `(B, S)` bool, weights `(B[, T], S)`, context `(B[, T], context_size)`. In training `dropout` zeroes weights; those
    returned are the ones before it.
    """

    supplied: ClassVar[tuple[str, ...]] = ("query_size", "memory_size")
    """Arguments that the model decides: no configuration states them."""
    hook: Hook | None = None
    """See `interventions.changes.intervene`."""

    def __init__(self, query_size: int, memory_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.query_size = query_size
        self.memory_size = memory_size
        self.context_size = memory_size
        self.dropout = Dropout(dropout)

    def prepare(self, memory: Tensor) -> Tensor:
        """`(B, S, M)` → keys `(B, S, ·)`: the part of the score that does not depend on the query."""
        return memory

    @abstractmethod
    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """`(B, T, Q)` and keys → `(B, T, S)`."""

    def weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        """`(B, T, Q)` → `(B, T, S)`."""
        return masked_softmax(self.scores(query, keys), None if mask is None else mask[:, None])

    def forward(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, offset: int = 0
    ) -> tuple[Tensor, Tensor]:
        """→ `(context, weights)`. `offset` gives each call within a training step its own dropout."""
        single = query.dim() == 2
        weights = self.weights(query[:, None] if single else query, keys, mask)
        if self.hook is not None:
            weights = self.hook(weights[:, None], values[:, None], offset)[:, 0]
        context = torch.matmul(self.dropout(weights, offset), values)
        return (context[:, 0], weights[:, 0]) if single else (context, weights)


class Additive(Attention):
    """score = vᵀ tanh(W q + U m + b) (Bahdanau et al. 2015, arXiv 1409.0473, A.1.2). `size`: rows of W and U."""

    def __init__(self, query_size: int, memory_size: int, size: int | None = None, dropout: float = 0.0) -> None:
        super().__init__(query_size, memory_size, dropout)
        size = check_whole("attention.size", query_size if size is None else size)
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(memory_size, size)
        self.energy = nn.Linear(size, 1, bias=False)

    def prepare(self, memory: Tensor) -> Tensor:
        """U m + b, `(B, S, A)`."""
        return linear(memory, self.key.weight, self.key.bias)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        energy = torch.tanh(self.query(query)[:, :, None] + keys[:, None])  # (B, T, S, A)
        scores: Tensor = self.energy(energy)[..., 0]
        return scores


class Dot(Attention):
    """score = qᵀ m (Luong et al. 2015, arXiv 1508.04025, eq. 8). Both sizes must be equal."""

    def __init__(self, query_size: int, memory_size: int, dropout: float = 0.0) -> None:
        super().__init__(query_size, memory_size, dropout)
        if query_size != memory_size:
            raise ConfigError(
                f"attention=dot needs a query ({query_size}) as wide as the encoder's output ({memory_size}): "
                f"choose attention=general, or equal sizes"
            )

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return torch.matmul(query, keys.transpose(1, 2))


class ScaledDot(Dot):
    """score = qᵀ m / √Q (Vaswani et al. 2017, arXiv 1706.03762, eq. 1)."""

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().scores(query, keys) / math.sqrt(self.query_size)


class General(Attention):
    """score = qᵀ W m (Luong et al. 2015, eq. 8)."""

    def __init__(self, query_size: int, memory_size: int, dropout: float = 0.0) -> None:
        super().__init__(query_size, memory_size, dropout)
        self.key = nn.Linear(memory_size, query_size, bias=False)

    def prepare(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.key(memory)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return torch.matmul(query, keys.transpose(1, 2))


class Local(General):
    """Predictive local attention (Luong et al. 2015, eqs. 9 and 10): a window of `window` positions either side.

    p_t = (L - 1) σ(vᵀ tanh(W_p q_t)) for a sentence of L positions counted from 0; α is the softmax of the general
    score over |s - p_t| ≤ window, times exp(-(s - p_t)² / (2 (window/2)²)): it no longer sums to 1.
    """

    def __init__(self, query_size: int, memory_size: int, window: int = 3, dropout: float = 0.0) -> None:
        super().__init__(query_size, memory_size, dropout)
        self.window = check_whole("attention.window", window)
        self.position = nn.Sequential(
            nn.Linear(query_size, query_size, bias=False), nn.Tanh(), nn.Linear(query_size, 1, bias=False)
        )

    def centre(self, query: Tensor, length: Tensor) -> Tensor:
        """p_t (eq. 9): `(B, T, Q)`, `length (B, 1)` → `(B, T)`."""
        return (length - 1).to(query.dtype) * torch.sigmoid(self.position(query)[..., 0])

    def weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            mask = torch.ones(keys.shape[:2], dtype=torch.bool, device=keys.device)
        centre = self.centre(query, mask.sum(1, keepdim=True))
        positions = torch.arange(keys.shape[1], device=keys.device)
        distance = positions - centre[..., None]
        inside = (distance.abs() <= self.window) & mask[:, None]
        gaussian = torch.exp(-(distance**2) / (2 * (self.window / 2) ** 2))
        return masked_softmax(self.scores(query, keys), inside) * gaussian


class MultiHead(Attention):
    """Concat_h(softmax(q W_qh (m W_kh)ᵀ / √d) m W_vh) W_o (Vaswani et al. 2017, section 3.2.2), d = M / heads.

    `prepare` projects keys and values together, `(B, S, 2·M)`; the `values` argument is ignored. The weights
    returned are the mean over heads; `head_weights` gives those of each head.

    Args:
        heads: how many, a divisor of M.
    """

    def __init__(self, query_size: int, memory_size: int, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__(query_size, memory_size, dropout)
        if heads < 1 or memory_size % heads:
            raise ConfigError.value("attention.heads", heads, f"a divisor of the encoder's output size, {memory_size}")
        self.heads = heads
        self.query = nn.Linear(query_size, memory_size, bias=False)
        self.key_value = nn.Linear(memory_size, 2 * memory_size, bias=False)
        self.output = nn.Linear(memory_size, memory_size, bias=False)

    def prepare(self, memory: Tensor) -> Tensor:
        keys: Tensor = self.key_value(memory)
        return keys

    def split(self, x: Tensor) -> Tensor:
        """`(B, L, M)` → `(B, heads, L, d)`."""
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """`(B, heads, T, S)`."""
        q = self.split(self.query(query))
        k = self.split(keys[..., : self.memory_size])
        return torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1])

    def head_weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        """`(B, T, Q)` → `(B, heads, T, S)`."""
        return masked_softmax(self.scores(query, keys), None if mask is None else mask[:, None, None])

    def weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        return self.head_weights(query, keys, mask).mean(1)

    def forward(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None, offset: int = 0
    ) -> tuple[Tensor, Tensor]:
        single = query.dim() == 2
        weights = self.head_weights(query[:, None] if single else query, keys, mask)
        values = self.split(keys[..., self.memory_size :])
        if self.hook is not None:
            weights = self.hook(weights, values, offset)
        heads = torch.matmul(self.dropout(weights, offset), values)
        context: Tensor = self.output(heads.transpose(1, 2).flatten(-2))
        mean = weights.mean(1)
        return (context[:, 0], mean[:, 0]) if single else (context, mean)
