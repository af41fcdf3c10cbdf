"""The recurrent decoder, with or without attention, for whole prefixes and step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.errors import ConfigError, check_whole, check_whole_or_null
from probeta.nn.attention import Attended, Attention, Read, read_together
from probeta.nn.cpu.attention import prepare_reader
from probeta.nn.cpu.matmul import linear
from probeta.nn.cpu.private import transformed
from probeta.nn.cpu.recurrent import covers, scan_decoder
from probeta.nn.dropout import Dropout
from probeta.nn.rnn import CellState, RecurrentLayer


class DecoderStart(NamedTuple):
    """What decoding reads of a batch of sources; batch first."""

    states: tuple[CellState, ...]
    """The first state of each layer, `(B, H)`."""
    attended: Attended


class Carry(NamedTuple):
    """What one step hands to the next; batch first."""

    states: tuple[CellState, ...]
    feed: tuple[Tensor, ...]
    """`(features,)` of the step before where it is fed back, else `()`."""


class DecoderStep(NamedTuple):
    """What one step computes."""

    output: Tensor
    """`(B, H)` the top layer's hidden state."""
    context: tuple[Tensor, ...]
    """`((B, M),)` with attention, else `()`."""
    weights: tuple[Tensor, ...]
    """`((B, S),)` with attention, else `()`."""
    features: tuple[Tensor, ...]
    """`((B, F),)` where the next step reads them, else `()`: they are then computed for all steps together."""
    carry: Carry


class Decoder(nn.Module):
    """h_t = RNN([e_t, c_t, f_(t-1)], h_(t-1)), features f_t = [h_t, c_t, e_t].

    e_t is the embedding of the previous word, c_t the context that `attention` reads with the query h_(t-1) of the top
    layer (Bahdanau et al. 2015, arXiv 1409.0473). Without attention there is no c_t and f_t = h_t (Sutskever et al.
    2014, arXiv 1409.3215). `input_feeding` (Luong et al. 2015, arXiv 1508.04025, section 3.3) is what lets the next
    step read f_t. `readout_size` makes f_t = tanh(W [h_t, c_t, e_t] + b); `tied_embeddings` (Press & Wolf 2017) uses
    the embedding as the output matrix, and so needs a read-out of its size.

    `dropout` acts on embeddings and between layers, `output_dropout` on the features; `variational` holds a mask over
    all steps.

    Args:
        cell, layers: as the encoder's, from the model.
        embedding_size: numbers that stand for a word.
    """

    supplied: ClassVar[tuple[str, ...]] = ("vocab_size", "hidden_size", "attention", "cell", "layers")
    """Arguments that the model decides: no configuration states them here."""

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        attention: Attention | None = None,
        cell: str = "lstm",
        layers: int = 1,
        embedding_size: int = 64,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        readout_size: int | None = None,
        input_feeding: bool = False,
        tied_embeddings: bool = False,
        variational: bool = False,
    ) -> None:
        super().__init__()
        check_whole("model.decoder.embedding_size", embedding_size)
        check_whole("model.decoder.hidden_size", hidden_size)
        check_whole_or_null("model.decoder.readout_size", readout_size)
        if tied_embeddings and readout_size not in (None, embedding_size):
            raise ConfigError.value(
                "model.decoder.readout_size", readout_size, f"with tied embeddings, their size ({embedding_size})"
            )
        self.attention = attention
        self.input_feeding = input_feeding
        self.variational = variational
        shared = (1,) if variational else ()
        context_size = attention.context_size if attention is not None else 0
        joined = hidden_size + (context_size + embedding_size if attention is not None else 0)
        readout = embedding_size if tied_embeddings else readout_size
        self.feature_size = joined if readout is None else readout
        self.splits = [embedding_size, context_size, self.feature_size if input_feeding else 0]

        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = Dropout(dropout, shared)
        fans = [sum(self.splits), *[hidden_size] * (layers - 1)]
        self.cells = nn.ModuleList(RecurrentLayer(cell, fan_in, hidden_size) for fan_in in fans)
        self.dropout = nn.ModuleList(Dropout(dropout) for _ in range(layers - 1))
        self.readout = None if readout is None else nn.Linear(joined, readout)
        self.output_dropout = Dropout(output_dropout, shared)
        self.output = nn.Linear(self.feature_size, vocab_size)
        if tied_embeddings:
            # N(0, 1), an embedding's default, would give logits of standard deviation √E.
            nn.init.normal_(self.embedding.weight, std=embedding_size**-0.5)
            self.output.weight = self.embedding.weight

    def layer(self, i: int) -> RecurrentLayer:
        return cast(RecurrentLayer, self.cells[i])

    def remember(self, outputs: Tensor, states: tuple[CellState, ...], mask: Tensor) -> DecoderStart:
        """Everything that depends on the source alone."""
        if self.attention is None:
            return DecoderStart(states, ())
        return DecoderStart(states, (self.attention.prepare(outputs), outputs, mask))

    def begin(self, start: DecoderStart) -> Carry:
        h = start.states[0][0]
        return Carry(start.states, (h.new_zeros(h.shape[0], self.feature_size),) if self.input_feeding else ())

    def gates(self, embedded: Tensor) -> Tensor:
        """W e + b, the part of layer 0's gates that the words give: `(…, E)` → `(…, gates·H)`."""
        layer = self.layer(0)
        return F.linear(embedded, layer.weight_ih[:, : self.splits[0]], layer.bias_ih)

    def features(self, output: Tensor, context: tuple[Tensor, ...], embedded: Tensor) -> Tensor:
        """`(…, H)`, `(…, M)`, `(…, E)` → `(…, F)`, before dropout."""
        joined = torch.cat([output, *context, embedded], dim=-1) if context else output
        return joined if self.readout is None else torch.tanh(linear(joined, self.readout.weight, self.readout.bias))

    def reader(self, attended: Attended) -> Read | None:
        """The attention of these sources, `None` without one. The k prefixes of a sentence read its row together."""
        if self.attention is None:
            return None
        attention, (keys, values, mask) = self.attention, attended
        read = prepare_reader(attention, attended) or (lambda query, t: attention(query, keys, values, mask, t))
        return read_together(read, len(keys))

    def step(self, z: Tensor, embedded: Tensor, carry: Carry, read: Read | None, t: int = 0) -> DecoderStep:
        """One step from `z` = W e_t + b, `(B, gates·H)`, and e_t. `t` tells steps apart for dropout.

        Layer 0's gates are W e_t + b + C c_t + F f_(t-1) + U h_(t-1), where [W, C, F] are the columns of its
        `weight_ih` (Bahdanau et al. 2015, A.2.2, who have no f).
        """
        context: tuple[Tensor, ...] = ()
        weights: tuple[Tensor, ...] = ()
        embedding_size, context_size, _ = self.splits
        weight = self.layer(0).weight_ih
        if read is not None:
            c, w = read(carry.states[-1][0], t)
            context, weights = (c,), (w,)
            z = z + F.linear(c, weight[:, embedding_size : embedding_size + context_size])
        if self.input_feeding:
            z = z + F.linear(carry.feed[0], weight[:, embedding_size + context_size :])
        states = [self.layer(0).step(z, carry.states[0])]
        for layer in range(1, len(self.cells)):
            below = self.dropout[layer - 1](states[-1][0], 0 if self.variational else t)
            cell = self.layer(layer)
            z = F.linear(below, cell.weight_ih, cell.bias_ih)
            states.append(cell.step(z, carry.states[layer]))
        output = states[-1][0]
        features = (self.features(output, context, embedded),) if self.input_feeding else ()
        return DecoderStep(output, context, weights, features, Carry(tuple(states), features))

    def forward(
        self, start: DecoderStart, target: Tensor, forced: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """`target (B, T)` → features `(B, T, F)`, attention `(B, T, S)` or `None`. See `Translator.decode`."""
        taught: list[bool | Tensor] = [True] * target.shape[1]
        if forced is not None:
            # Under `torch.func` each member of an ensemble has its own draws, which no list can hold.
            taught[1:] = forced[1:].unbind() if transformed() else forced.tolist()[1:]
        clean = self.embedding(target)
        embedded = self.embedding_dropout(clean)
        # The model's own words are dropped by the same mask as the reference's.
        given = all(t is True for t in taught)
        drop = None if given else self.embedding_dropout(torch.ones_like(clean))
        if covers(self):
            features, weights = scan_decoder(self, start, embedded, drop, taught)
        else:
            features, weights = self.loop(start, embedded, drop, taught)
        return self.output_dropout(features), weights

    def loop(
        self, start: DecoderStart, embedded: Tensor, drop: Tensor | None, taught: Sequence[bool | Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """One step after another; where a word is not `taught`, the model reads its own last choice."""
        read = self.reader(start.attended)
        z = self.gates(embedded)
        carry = self.begin(start)
        steps: list[DecoderStep] = []
        inputs: list[Tensor] = []
        for t, given in enumerate(taught):
            e, z_t = embedded[:, t], z[:, t]
            if given is not True and drop is not None:
                own = self.embedding(self.guess(steps[-1], inputs[-1])) * drop[:, t]
                e = torch.where(given, e, own) if isinstance(given, Tensor) else own
                z_t = self.gates(e)
            steps.append(self.step(z_t, e, carry, read, t))
            inputs.append(e)
            carry = steps[-1].carry
        weights = torch.stack([s.weights[0] for s in steps], dim=1) if self.attention is not None else None
        return self.gather(steps, torch.stack(inputs, dim=1) if drop is not None else embedded), weights

    def predict(self, token: Tensor, carry: Carry, attended: Attended) -> tuple[Tensor, Tensor | None, Carry]:
        """A step of a search: `token (N,)` → logits `(N, V)`, weights `(N, S)` or `None`, what the next step reads."""
        embedded = self.embedding(token)
        step = self.step(self.gates(embedded), embedded, carry, self.reader(attended))
        features = step.features[0] if step.features else self.features(step.output, step.context, embedded)
        return self.output(features), step.weights[0] if step.weights else None, step.carry

    def gather(self, steps: list[DecoderStep], embedded: Tensor) -> Tensor:
        """The features of all steps, `(B, T, F)`."""
        if self.input_feeding:
            return torch.stack([s.features[0] for s in steps], dim=1)
        output = torch.stack([s.output for s in steps], dim=1)
        context = () if self.attention is None else (torch.stack([s.context[0] for s in steps], dim=1),)
        return self.features(output, context, embedded)

    def guess(self, step: DecoderStep, embedded: Tensor) -> Tensor:
        """The most probable word after `step`, `(B,)`."""
        features = step.features[0] if step.features else self.features(step.output, step.context, embedded)
        return self.choose(features)

    @torch.no_grad()
    def choose(self, features: Tensor) -> Tensor:
        """`(B, F)` → the most probable words, `(B,)`; no gradient flows through a choice."""
        choice: Tensor = self.output(features).argmax(-1)
        return choice
