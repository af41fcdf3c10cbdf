"""The recurrent translator: an encoder and a decoder under the contract of `Translator`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from probeta.errors import ConfigError
from probeta.nn.attention import Attention
from probeta.nn.cpu import enabled
from probeta.nn.cpu.stepper import Stepper
from probeta.nn.decoder import Carry, Decoder, DecoderStart
from probeta.nn.encoder import Encoded, Encoder
from probeta.nn.translator import Decoded, PerSource, Translator


class Progress(NamedTuple):
    """The state of incremental decoding."""

    source: PerSource
    """What a step reads of the source, one row per sentence."""
    carry: Carry
    """What changes with each word, one row per prefix."""
    stepper: Stepper | None
    """The prepared weights, if any: a leaf of the tree that is no tensor."""


class Seq2Seq(Translator):
    """Sequence to sequence (Sutskever et al. 2014), with `attention` as in Bahdanau et al. 2015.

    `encoder`, `decoder` and `attention` are constructors that lack only the sizes which are decided here:
    vocabularies, the decoder's `hidden_size`, and the `cell` and `layers` of both. `shared_embeddings` uses one matrix
    for source and target, whose vocabularies and embedding sizes must then be the same.

    Args:
        hidden_size: units of the decoder's layers, and of the encoder's where it names none.
        cell: `lstm`, `gru` or `rnn`.
        layers: recurrent layers of encoder and of decoder, from 1.
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        pad_id: int,
        hidden_size: int,
        encoder: Callable[..., Encoder],
        decoder: Callable[..., Decoder],
        attention: Callable[..., Attention] | None = None,
        cell: str = "lstm",
        layers: int = 1,
        shared_embeddings: bool = False,
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.encoder = encoder(
            vocab_size=source_vocab_size, state_size=hidden_size, pad_id=pad_id, cell=cell, layers=layers
        )
        kind = None if attention is None else attention(query_size=hidden_size, memory_size=self.encoder.output_size)
        self.decoder = decoder(
            vocab_size=target_vocab_size, hidden_size=hidden_size, attention=kind, cell=cell, layers=layers
        )
        if shared_embeddings:
            mine, theirs = self.encoder.embedding.weight, self.decoder.embedding.weight
            if mine.shape != theirs.shape:
                raise ConfigError(
                    f"model.shared_embeddings=true needs one vocabulary and one embedding size for both sides: "
                    f"the encoder's matrix is {tuple(mine.shape)}, the decoder's {tuple(theirs.shape)}"
                )
            self.encoder.embedding.weight = theirs

    @property
    def output_weight(self) -> Tensor:
        """`(V, F)`: with `output_bias`, what `nn.loss.projected_cross_entropy` takes."""
        return self.decoder.output.weight

    @property
    def output_bias(self) -> Tensor:
        """`(V,)`."""
        return self.decoder.output.bias

    def encode(self, source: Tensor) -> DecoderStart:
        encoded: Encoded = self.encoder(source)
        return self.decoder.remember(*encoded)

    def decode(
        self, memory: DecoderStart, target: Tensor, *, forced: Tensor | None = None, need_weights: bool = False
    ) -> Decoded:
        features, attention = self.decoder(memory, target, forced)
        return Decoded(features, attention if need_weights else None)

    def project(self, features: Tensor) -> Tensor:
        logits: Tensor = self.decoder.output(features)
        return logits

    def prepare(self, prefixes: int = 1) -> Stepper | None:
        return Stepper(self.decoder, prefixes) if enabled() and not self.hooked else None

    @property
    def hooked(self) -> bool:
        """Whether something changes the attention, which prepared weights, those of a faster form, would not ask."""
        return self.decoder.attention is not None and self.decoder.attention.hook is not None

    def start(self, memory: DecoderStart, prepared: Stepper | None = None) -> Progress:
        stepper = self.prepare() if prepared is None or self.hooked else prepared
        if stepper is None:
            return Progress(PerSource(memory.attended), self.decoder.begin(memory), None)
        attended, carry = stepper.begin(memory)
        return Progress(PerSource(attended), carry, stepper)

    def step(self, token: Tensor, state: Progress) -> tuple[Tensor, Tensor | None, Progress]:
        step = self.decoder.predict if state.stepper is None else state.stepper
        logits, attention, carry = step(token, state.carry, state.source.value)
        return logits, attention, state._replace(carry=carry)
