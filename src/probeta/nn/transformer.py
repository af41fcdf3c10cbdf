"""The Transformer, every part a switch (Vaswani et al. 2017, arXiv 1706.03762)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.errors import ConfigError, check_whole
from probeta.nn.cpu.matmul import Product, fast_float32
from probeta.nn.dropout import Dropout, dropouts
from probeta.nn.multi_head import KeysValues, additive_mask
from probeta.nn.positions import added_positions
from probeta.nn.transformer_layers import LayerSettings, TransformerDecoder, TransformerEncoder
from probeta.nn.translator import Decoded, PerSource, Translator

TIES = ("none", "target", "all")


class Memory(NamedTuple):
    """An encoded batch of sources."""

    states: Tensor
    """`(B, S, D)`."""
    keep: Tensor
    """`(B, S)` bool: no padding here."""


class Source(NamedTuple):
    """What the decoder reads of a source, computed once."""

    layers: tuple[KeysValues, ...]
    """Every layer's keys and values."""
    mask: Tensor
    """`(B, 1, 1, S)` additive."""


class Incremental(NamedTuple):
    """Decoding after `t` tokens."""

    source: PerSource
    """A `Source`, one row per sentence for all of its prefixes."""
    caches: tuple[KeysValues, ...]
    """Every layer's keys and values of the target so far, `(B·k, h, t, d)` each."""
    output: Product
    """The vocabulary projection: a leaf of the tree that is no tensor."""


class AttentionMaps(NamedTuple):
    """Every layer's and head's weights; rows sum to 1, padding has 0."""

    encoder: Tensor
    """`(B, layers, heads, S, S)`."""
    decoder: Tensor
    """`(B, layers, heads, T, T)`, causal."""
    cross: Tensor
    """`(B, layers, heads, T, S)`."""


@contextmanager
def without_dropout(module: nn.Module) -> Iterator[None]:
    layers = [layer for layer in dropouts(module) if layer.active]
    for layer in layers:
        layer.active = False
    try:
        yield
    finally:
        for layer in layers:
            layer.active = True


class Transformer(Translator):
    """Encoder–decoder of attention alone. Embeddings are scaled by √D (section 3.4), positions added.

    `tie_embeddings`: `target` shares the target embedding with the output projection (Press & Wolf
    2017, arXiv 1608.05859), `all` the source embedding too (one vocabulary). For the switches `norm`,
    `residual`, `feed_forward=0`, `activation` see `LayerSettings`, for `positions` the module of that name.

    Raises `ConfigError` for a switch that is not known and sizes that do not fit.

    Args:
        hidden_size: width D of every layer.
        encoder_layers: from 0.
        decoder_layers: from 1.
        heads: of each attention, a divisor of `hidden_size`.
        feed_forward: width of the position-wise network; 0: none.
        activation: of the position-wise network: `relu`, `gelu`, `tanh`, `sigmoid` or `identity`.
        norm: `post` (Vaswani et al. 2017), `pre`, which keeps the residual path free (Xiong et al. 2020), or
            `none`.
        residual: whether a sublayer adds its input.
        positions: `sinusoidal`, `learned`, `rotary` or `none`.
        dropout: on embeddings and on what each sublayer gives, 0 <= p < 1.
        attention_dropout: on the weights of attention.
        activation_dropout: within the position-wise network.
        max_positions: positions that are computed beforehand; learned ones end there.
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        pad_id: int,
        hidden_size: int = 128,
        encoder_layers: int = 4,
        decoder_layers: int = 4,
        heads: int = 4,
        feed_forward: int = 256,
        activation: str = "relu",
        norm: str = "pre",
        residual: bool = True,
        positions: str = "sinusoidal",
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        tie_embeddings: str = "target",
        max_positions: int = 512,
    ) -> None:
        super().__init__()
        least = {
            "hidden_size": (hidden_size, 1),
            "encoder_layers": (encoder_layers, 0),
            "decoder_layers": (decoder_layers, 1),
        }
        for key, (value, minimum) in least.items():
            check_whole(f"model.{key}", value, minimum)
        settings = LayerSettings(
            hidden_size, heads, feed_forward, activation, norm, residual, positions == "rotary",
            dropout, attention_dropout, activation_dropout, max_positions,
        )  # fmt: skip
        self.pad_id = pad_id
        self.hidden_size = hidden_size
        self.positions = added_positions(positions, hidden_size, max_positions)
        self.target_positions = added_positions(positions, hidden_size, max_positions)
        self.dropout = Dropout(dropout)
        self.target_dropout = Dropout(dropout)
        self.encoder = TransformerEncoder(settings, encoder_layers)
        self.decoder = TransformerDecoder(settings, decoder_layers)
        self.source_embedding = nn.Embedding(source_vocab_size, hidden_size, padding_idx=pad_id)
        self.target_embedding = nn.Embedding(target_vocab_size, hidden_size, padding_idx=pad_id)
        self.output = nn.Linear(hidden_size, target_vocab_size, bias=False)
        self.tie(tie_embeddings)

    def tie(self, which: str) -> None:
        """Let embeddings share weights and start them at N(0, 1/D), so that √D times one has variance 1."""
        if which not in TIES:
            raise ConfigError.unknown("model.tie_embeddings", which, TIES)
        sizes = self.source_embedding.num_embeddings, self.target_embedding.num_embeddings
        if which == "all" and sizes[0] != sizes[1]:
            raise ConfigError.value(
                "model.tie_embeddings",
                which,
                f"one vocabulary for both languages (here {sizes[0]} and {sizes[1]} tokens)",
            )
        if which == "all":
            self.source_embedding.weight = self.target_embedding.weight
        if which != "none":
            self.output.weight = self.target_embedding.weight
        with torch.no_grad():
            for weight in {
                id(m.weight): m.weight for m in (self.source_embedding, self.target_embedding, self.output)
            }.values():
                nn.init.normal_(weight, std=self.hidden_size**-0.5)
            self.source_embedding.weight[self.pad_id] = 0
            self.target_embedding.weight[self.pad_id] = 0

    def embed_target(self, target: Tensor, start: int = 0) -> Tensor:
        """`(B, T)` ids from position `start` on → `(B, T, D)`."""
        scaled = self.target_embedding(target) * self.hidden_size**0.5
        embedded: Tensor = self.target_dropout(self.target_positions(scaled, start))
        return embedded

    def encode(self, source: Tensor, record: list[Tensor] | None = None) -> Memory:
        """`source (B, S)` → `Memory`; `record` gets every layer's weights."""
        keep = source != self.pad_id
        x = self.dropout(self.positions(self.source_embedding(source) * self.hidden_size**0.5))
        return Memory(self.encoder(x, additive_mask(keep, x.dtype)[:, None, None], record), keep)

    def decode(
        self, memory: Memory, target: Tensor, *, forced: Tensor | None = None, need_weights: bool = False
    ) -> Decoded:
        """See `Translator.decode`. Attention: the last layer's, the mean of its heads.

        Where the model reads its own words they are chosen without dropout and without a gradient (an
        argmax has none), then one pass over all inputs gives the features.
        """
        if forced is not None:
            target = self.own_inputs(memory, target, forced)
        record: list[Tensor] | None = [] if need_weights else None
        features = self.decode_prefix(memory, target, cross_record=record, last_only=True)
        return Decoded(features, record[0].mean(1) if record else None)

    def decode_prefix(
        self, memory: Memory, target: Tensor, record: list[Tensor] | None = None,
        cross_record: list[Tensor] | None = None, last_only: bool = False,
    ) -> Tensor:  # fmt: skip
        """Features `(B, T, D)` after every prefix of `target (B, T)`."""
        # No mask for padded targets: what follows the end is never looked at from before it.
        mask = additive_mask(memory.keep, memory.states.dtype)[:, None, None]
        x = self.embed_target(target)
        features: Tensor = self.decoder(x, memory.states, mask, record, cross_record, last_only)
        return features

    @torch.no_grad()
    def own_inputs(self, memory: Memory, target: Tensor, forced: Tensor) -> Tensor:
        """`target (B, T)` with the model's own last argmax at the steps where `forced (T,)` is false."""
        inputs = [target[:, 0]]
        with without_dropout(self):
            state = self.start(memory)
            for reference, given in zip(target.unbind(1)[1:], forced.unbind(0)[1:], strict=True):
                logits, state = self.advance(inputs[-1], state)
                inputs.append(torch.where(given, reference, logits.argmax(-1)))
        return torch.stack(inputs, dim=1)

    @property
    def output_weight(self) -> Tensor:
        """`(V, D)`: with `output_bias`, what `nn.loss.projected_cross_entropy` takes."""
        return self.output.weight

    @property
    def output_bias(self) -> None:
        """The output projection has none."""
        return None

    def project(self, features: Tensor) -> Tensor:
        """`(…, D)` → logits `(…, V)`."""
        return F.linear(features, self.output.weight)

    def prepare(self, prefixes: int = 1) -> Product:
        return Product(self.output.weight)

    def start(self, memory: Memory, prepared: Product | None = None) -> Incremental:
        """No target token yet; the source's keys and values of all layers."""
        layers = self.decoder.keys_values(memory.states)
        mask = additive_mask(memory.keep, memory.states.dtype)[:, None, None]
        caches = tuple(KeysValues(keys[:, :, :0], values[:, :, :0]) for keys, values in layers)
        return Incremental(PerSource(Source(layers, mask)), caches, self.prepare() if prepared is None else prepared)

    def step(self, token: Tensor, state: Incremental) -> tuple[Tensor, Tensor, Incremental]:
        """`token (B·k,)` → logits `(B·k, V)`, the last layer's mean weights `(B·k, S)`, the next state."""
        record: list[Tensor] = []
        logits, state = self.advance(token, state, record)
        return logits, record[0].mean(1).flatten(0, 1), state

    def advance(
        self, token: Tensor, state: Incremental, record: list[Tensor] | None = None
    ) -> tuple[Tensor, Incremental]:
        """`step`, with weights only where there is a `record`."""
        source: Source = state.source.value
        x = self.embed_target(token[:, None], start=state.caches[0].keys.shape[2])
        with fast_float32():
            x, caches = self.decoder.step(x, state.caches, source.layers, source.mask, record)
        return state.output(x[:, 0]), state._replace(caches=caches)

    def attention_maps(self, source: Tensor, target: Tensor) -> AttentionMaps:
        """All weights in one pass over `source (B, S)` and the decoder's inputs `target (B, T)`."""
        encoder: list[Tensor] = []
        decoder: list[Tensor] = []
        cross: list[Tensor] = []
        memory = self.encode(source, encoder)
        self.decode_prefix(memory, target, decoder, cross)
        empty = source.new_zeros(len(source), 0, dtype=memory.states.dtype)
        return AttentionMaps(*(torch.stack(w, dim=1) if w else empty for w in (encoder, decoder, cross)))
