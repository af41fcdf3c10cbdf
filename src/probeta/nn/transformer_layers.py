"""Encoder and decoder of the Transformer, layer by layer (Vaswani et al. 2017, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from probeta.errors import ConfigError
from probeta.nn.dropout import Dropout
from probeta.nn.mlp import ACTIVATIONS, Activation
from probeta.nn.multi_head import CrossAttention, KeysValues, SelfAttention, projection

NORMS = ("pre", "post", "none")


@dataclass(frozen=True)
class LayerSettings:
    """What every layer of one Transformer has in common.

    `norm`: `post` is Vaswani et al. 2017, `pre` keeps the residual path free (Xiong et al. 2020, arXiv
    2002.04745). `feed_forward=0` leaves the position-wise network out.
    """

    width: int
    heads: int = 4
    feed_forward: int = 256
    activation: str = "relu"
    norm: str = "pre"
    residual: bool = True
    rotary: bool = False
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    max_positions: int = 512

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise ConfigError.unknown("model.norm", self.norm, NORMS)
        if self.activation not in ACTIVATIONS:
            raise ConfigError.unknown("model.activation", self.activation, ACTIVATIONS)
        if self.feed_forward < 0:
            raise ConfigError.value("model.feed_forward", self.feed_forward, "a width from 1, or 0 for none")


class FeedForward(nn.Module):
    """W₂ f(W₁ x + b₁) + b₂ at every position (Vaswani et al. 2017, eq. 2), `(B, T, D)` → `(B, T, D)`."""

    def __init__(self, width: int, hidden: int, activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        if hidden < 1:
            raise ConfigError.value("model.feed_forward", hidden, "a width from 1, or 0 for none")
        self.widen = nn.Linear(width, hidden)
        self.activation = Activation(activation)
        self.dropout = Dropout(dropout)
        self.narrow = nn.Linear(hidden, width)
        for linear in (self.widen, self.narrow):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.narrow(self.dropout(self.activation(self.widen(x))))
        return y


class Sublayer(nn.Module):
    """What surrounds each function f of a layer: dropout, residual path, norm.

    post: norm(x + dropout(f(x))); pre: x + dropout(f(norm(x))); none: x + dropout(f(x)); without
    `residual` the `x +` is missing.
    """

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.place = settings.norm
        self.residual = settings.residual
        self.norm = nn.LayerNorm(settings.width) if settings.norm != "none" else nn.Identity()
        self.dropout = Dropout(settings.dropout)

    def before(self, x: Tensor) -> Tensor:
        return self.norm(x) if self.place == "pre" else x

    def after(self, x: Tensor, y: Tensor) -> Tensor:
        """Of the sublayer's input `x` and its function's value `y`, each `(B, T, D)`."""
        y = self.dropout(y)
        if self.residual:
            y = x + y
        return self.norm(y) if self.place == "post" else y

    def forward(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """`(B, T, D)` → `(B, T, D)`."""
        return self.after(x, function(self.before(x)))


def self_attention(settings: LayerSettings, causal: bool) -> SelfAttention:
    return SelfAttention(
        settings.width, settings.heads, settings.attention_dropout, causal, settings.rotary, settings.max_positions
    )


def feed_forward(settings: LayerSettings) -> FeedForward | None:
    if not settings.feed_forward:
        return None
    return FeedForward(settings.width, settings.feed_forward, settings.activation, settings.activation_dropout)


class EncoderLayer(nn.Module):
    """Self-attention, then the position-wise network."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.attention = self_attention(settings, causal=False)
        self.attention_sublayer = Sublayer(settings)
        self.feed_forward = feed_forward(settings)
        self.feed_forward_sublayer = Sublayer(settings) if self.feed_forward is not None else None

    def forward(self, x: Tensor, mask: Tensor | None = None, record: list[Tensor] | None = None) -> Tensor:
        """`x (B, S, D)`, additive `mask (B, 1, 1, S)` → `(B, S, D)`."""
        x = self.attention_sublayer(x, lambda y: self.attention(y, mask, record))
        if self.feed_forward is not None and self.feed_forward_sublayer is not None:
            x = self.feed_forward_sublayer(x, self.feed_forward)
        return x


class DecoderLayer(nn.Module):
    """Causal self-attention, attention on the source, then the position-wise network."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.attention = self_attention(settings, causal=True)
        self.attention_sublayer = Sublayer(settings)
        self.cross = CrossAttention(settings.width, settings.heads, settings.attention_dropout)
        self.cross_sublayer = Sublayer(settings)
        self.feed_forward = feed_forward(settings)
        self.feed_forward_sublayer = Sublayer(settings) if self.feed_forward is not None else None

    def forward(
        self, x: Tensor, source: KeysValues, mask: Tensor | None = None,
        record: list[Tensor] | None = None, cross_record: list[Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        """`x (B, T, D)`, the `source`'s keys and values, additive `mask (B, 1, 1, S)` → `(B, T, D)`."""
        x = self.attention_sublayer(x, lambda y: self.attention(y, None, record))
        return self.rest(x, source, mask, cross_record)

    def step(
        self, x: Tensor, cache: KeysValues, source: KeysValues, mask: Tensor, cross_record: list[Tensor] | None
    ) -> tuple[Tensor, KeysValues]:
        """`forward` of the one token `x (B·k, 1, D)` that follows those in `cache` (B·k rows).

        The k prefixes of one sentence read the same row of `source`, as k queries.
        """
        y, cache = self.attention.step(self.attention_sublayer.before(x), cache)
        x = self.attention_sublayer.after(x, y)
        B, D = source.keys.shape[0], x.shape[-1]
        return self.rest(x.view(B, -1, D), source, mask, cross_record).view(-1, 1, D), cache

    def rest(self, x: Tensor, source: KeysValues, mask: Tensor | None, cross_record: list[Tensor] | None) -> Tensor:
        """All that follows self-attention: the same for a whole prefix and for one step."""
        x = self.cross_sublayer(x, lambda y: self.cross(y, source, mask, cross_record))
        if self.feed_forward is not None and self.feed_forward_sublayer is not None:
            x = self.feed_forward_sublayer(x, self.feed_forward)
        return x


class TransformerEncoder(nn.Module):
    """`layers` encoder layers; under pre-norm one more norm, since no layer normalises its own output."""

    def __init__(self, settings: LayerSettings, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(settings) for _ in range(layers))
        self.norm = nn.LayerNorm(settings.width) if settings.norm == "pre" else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None, record: list[Tensor] | None = None) -> Tensor:
        """`x (B, S, D)`, additive `mask (B, 1, 1, S)` → `(B, S, D)`."""
        for layer in self.layers:
            x = layer(x, mask, record)
        return self.norm(x)


class TransformerDecoder(nn.Module):
    """`layers` decoder layers; one product gives the source's keys and values of all of them."""

    def __init__(self, settings: LayerSettings, layers: int) -> None:
        super().__init__()
        self.heads = settings.heads
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(layers))
        self.source_keys_values = projection(settings.width, 2 * layers)
        self.norm = nn.LayerNorm(settings.width) if settings.norm == "pre" else nn.Identity()

    def keys_values(self, memory: Tensor) -> tuple[KeysValues, ...]:
        """`memory (B, S, D)` → what every layer reads of it."""
        B, S, D = memory.shape
        projected = self.source_keys_values(memory).view(B, S, len(self.layers), 2, self.heads, D // self.heads)
        keys, values = projected.permute(3, 2, 0, 4, 1, 5).contiguous().unbind(0)
        return tuple(map(KeysValues, keys.unbind(0), values.unbind(0)))

    def forward(
        self, x: Tensor, memory: Tensor, mask: Tensor, record: list[Tensor] | None = None,
        cross_record: list[Tensor] | None = None, last_only: bool = False,
    ) -> Tensor:  # fmt: skip
        """`x (B, T, D)`, `memory (B, S, D)`, additive `mask (B, 1, 1, S)` → `(B, T, D)`.

        `record` and `cross_record` get each layer's weights; `last_only`: the last layer's alone.
        """
        for i, (layer, source) in enumerate(zip(self.layers, self.keys_values(memory), strict=True)):
            wanted = not last_only or i == len(self.layers) - 1
            x = layer(x, source, mask, record, cross_record if wanted else None)
        return self.norm(x)

    def step(
        self, x: Tensor, caches: Sequence[KeysValues], sources: Sequence[KeysValues], mask: Tensor,
        record: list[Tensor] | None,
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:  # fmt: skip
        """`x (B·k, 1, D)` → `(B·k, 1, D)`, the grown caches; `record` gets the last layer's `(B, h, k, S)`."""
        layers = cast("Iterable[DecoderLayer]", self.layers)
        grown = []
        for i, (layer, cache, source) in enumerate(zip(layers, caches, sources, strict=True)):
            x, cache = layer.step(x, cache, source, mask, record if i == len(caches) - 1 else None)
            grown.append(cache)
        return self.norm(x), tuple(grown)
