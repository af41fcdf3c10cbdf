"""The recurrent decoder, with or without attention, for whole prefixes and step by step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.errors import ConfigError
from probeta.nn.attention import Additive, Attention
from probeta.nn.dropout import Dropout
from probeta.nn.matmul import linear, transformed
from probeta.nn.rnn import CellState, RecurrentLayer
from probeta.nn.scan import attentive_scan, lstm_scan


class Memory(NamedTuple):
    """What decoding reads of a source sentence; batch first."""

    states: tuple[CellState, ...]
    """The first state of each layer, `(B, H)`."""
    attended: tuple[Tensor, ...]
    """`(keys, values, mask)`, or `()` without attention."""


class Carry(NamedTuple):
    """What one step hands to the next; batch first."""

    states: tuple[CellState, ...]
    feed: tuple[Tensor, ...]
    """`(features,)` of the step before where it is fed back, else `()`."""


class Step(NamedTuple):
    output: Tensor
    """`(B, H)` the top layer's hidden state."""
    context: tuple[Tensor, ...]
    """`((B, M),)` with attention, else `()`."""
    weights: tuple[Tensor, ...]
    """`((B, S),)` with attention, else `()`."""
    features: tuple[Tensor, ...]
    """`((B, F),)` where the next step reads them, else `()`: then one product for all steps is cheaper."""
    carry: Carry


class Decoder(nn.Module):
    """Layer 0 reads [embedding, context, fed-back features]; the features are [output, context, embedding].

    Without attention: h_t = RNN(e_t, h_(t-1)) from the encoder's last state, features = h_t (Sutskever et al.
    2014).
    With it, the query is the top layer's previous hidden state, as in Bahdanau et al. 2015 (arXiv 1409.0473).
    `readout_size` puts tanh(W ·) before the vocabulary; `input_feeding` (Luong et al. 2015) gives these to the
    next step; `tied_embeddings` (Press & Wolf 2017) uses the embedding as the output matrix and therefore a
    read-out of its size. `dropout` acts on embeddings and between layers, `output_dropout` on the features;
    `variational` holds a mask over all steps. `fused` permits the hand-written loop (`nn.scan`) where it applies.
    """

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
        fused: bool = True,
    ) -> None:
        super().__init__()
        sizes = (("embedding_size", embedding_size), ("hidden_size", hidden_size), ("readout_size", readout_size))
        for key, value in sizes:
            if value is not None and value < 1:
                raise ConfigError.value(f"model.decoder.{key}", value, "a whole number from 1")
        if tied_embeddings and readout_size not in (None, embedding_size):
            raise ConfigError.value(
                "model.decoder.readout_size", readout_size, f"with tied embeddings, their size ({embedding_size})"
            )
        self.attention = attention
        self.input_feeding = input_feeding
        self.fused = fused
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

    def remember(self, outputs: Tensor, states: tuple[CellState, ...], mask: Tensor) -> Memory:
        """Everything that depends on the source alone."""
        if self.attention is None:
            return Memory(states, ())
        return Memory(states, (self.attention.prepare(outputs), outputs, mask))

    def begin(self, memory: Memory) -> Carry:
        h = memory.states[0][0]
        return Carry(memory.states, (h.new_zeros(h.shape[0], self.feature_size),) if self.input_feeding else ())

    def gates(self, embedded: Tensor) -> Tensor:
        """The embeddings' share of layer 0's gates, with the bias: `(…, E)` → `(…, gates·H)`."""
        layer = self.layer(0)
        return F.linear(embedded, layer.weight_ih[:, : self.splits[0]], layer.bias_ih)

    def features(self, output: Tensor, context: tuple[Tensor, ...], embedded: Tensor) -> Tensor:
        """`(…, H)`, `(…, M)`, `(…, E)` → `(…, F)`, before dropout."""
        joined = torch.cat([output, *context, embedded], dim=-1) if context else output
        return joined if self.readout is None else torch.tanh(linear(joined, self.readout.weight, self.readout.bias))

    def attend(self, query: Tensor, attended: tuple[Tensor, ...], t: int) -> tuple[Tensor, Tensor]:
        """Context and weights for `Attention.ask`'s `query (B·k, A)`: a sentence's k prefixes read its row together."""
        assert self.attention is not None
        together = query.shape[0] != attended[0].shape[0]
        query = query.view(attended[0].shape[0], -1, query.shape[-1]) if together else query
        keys, values, mask = attended
        context, weights = self.attention.read(query, keys, values, mask, t)
        return (context.flatten(0, 1), weights.flatten(0, 1)) if together else (context, weights)

    def step(self, z: Tensor, embedded: Tensor, carry: Carry, attended: tuple[Tensor, ...], t: int = 0) -> Step:
        """One step from `z (B, gates·H)`, the embeddings' share, and `Memory.attended`. `t` addresses dropout."""
        context: tuple[Tensor, ...] = ()
        weights: tuple[Tensor, ...] = ()
        embedding_size, context_size, _ = self.splits
        weight = self.layer(0).weight_ih
        if self.attention is not None:
            c, w = self.attend(self.attention.ask(carry.states[-1][0]), attended, t)
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
        return Step(output, context, weights, features, Carry(tuple(states), features))

    def scannable(self) -> bool:
        """Whether `nn.scan` covers this decoder: one LSTM layer, additive or no attention, nothing fed back."""
        attention = self.attention
        covered = attention is None or (
            type(attention) is Additive and not (attention.dropout.active and self.training)
        )
        one = len(self.cells) == 1 and self.layer(0).cell == "lstm"
        return self.fused and one and covered and not self.input_feeding and not transformed()

    def forward(self, memory: Memory, target: Tensor, forced: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """`target (B, T)` → features `(B, T, F)`, attention `(B, T, S)` or `None`. See `Translator.decode`."""
        taught: list[bool | Tensor] = [True] * target.shape[1]
        if forced is not None:
            # Under `torch.func` each member of an ensemble has draws of its own, which no list can hold.
            taught[1:] = forced[1:].unbind() if transformed() else forced.tolist()[1:]
        clean = self.embedding(target)
        embedded = self.embedding_dropout(clean)
        # A model's own words meet the same mask as the reference's.
        given = all(t is True for t in taught)
        drop = None if given else self.embedding_dropout(torch.ones_like(clean))
        run = self.scan if self.scannable() else self.loop
        features, weights = run(memory, embedded, drop, taught)
        return self.output_dropout(features), weights

    def loop(
        self, memory: Memory, embedded: Tensor, drop: Tensor | None, taught: Sequence[bool | Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """A step after the other, for every kind of cell and attention, and under `torch.func`."""
        z = self.gates(embedded)
        carry = self.begin(memory)
        steps: list[Step] = []
        inputs: list[Tensor] = []
        for t, given in enumerate(taught):
            e, z_t = embedded[:, t], z[:, t]
            if given is not True and drop is not None:
                own = self.embedding(self.guess(steps[-1], inputs[-1])) * drop[:, t]
                e = torch.where(given, e, own) if isinstance(given, Tensor) else own
                z_t = self.gates(e)
            steps.append(self.step(z_t, e, carry, memory.attended, t))
            inputs.append(e)
            carry = steps[-1].carry
        weights = torch.stack([s.weights[0] for s in steps], dim=1) if self.attention is not None else None
        return self.gather(steps, torch.stack(inputs, dim=1) if drop is not None else embedded), weights

    def scan(
        self, memory: Memory, embedded: Tensor, drop: Tensor | None, taught: Sequence[bool | Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """The same by `nn.scan`: each run of given words in one piece."""
        layer, attention = self.layer(0), self.attention
        split = self.splits[0]
        h, c = memory.states[0]
        piece: Any = partial(lstm_scan, layer.weight_hh)
        if isinstance(attention, Additive):
            keys, values, mask = memory.attended
            weights = (layer.weight_hh, attention.query.weight, attention.energy.weight[0])
            piece = partial(attentive_scan, linear(values, layer.weight_ih[:, split:]), keys, mask, *weights)
        bias = None if layer.bias_ih is None or layer.bias_hh is None else layer.bias_ih + layer.bias_hh
        parts: list[Tensor] = []
        shown: list[Tensor] = []
        starts = [t for t, given in enumerate(taught) if t == 0 or not given]
        for start, stop in zip(starts, [*starts[1:], len(taught)], strict=True):
            e = embedded[:, start:stop]
            if start and drop is not None:
                own = self.embedding(self.choose(parts[-1][:, -1])) * drop[:, start]
                e = torch.cat([own[:, None], e[:, 1:]], dim=1)
            z = linear(e.transpose(0, 1), layer.weight_ih[:, :split], bias)
            run, c, *alpha = piece(z, h, c)
            h = run[-1]
            context = tuple(torch.bmm(a, memory.attended[1]) for a in alpha)
            parts.append(self.features(run.transpose(0, 1), context, e))
            shown.extend(alpha)
        features = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        return features, torch.cat(shown, dim=1) if shown else None

    def gather(self, steps: list[Step], embedded: Tensor) -> Tensor:
        """The features of all steps, `(B, T, F)`."""
        if self.input_feeding:
            return torch.stack([s.features[0] for s in steps], dim=1)
        output = torch.stack([s.output for s in steps], dim=1)
        context = () if self.attention is None else (torch.stack([s.context[0] for s in steps], dim=1),)
        return self.features(output, context, embedded)

    def guess(self, step: Step, embedded: Tensor) -> Tensor:
        """The most probable word after `step`, `(B,)`."""
        features = step.features[0] if step.features else self.features(step.output, step.context, embedded)
        return self.choose(features)

    @torch.no_grad()
    def choose(self, features: Tensor) -> Tensor:
        """`(B, F)` → the most probable words, `(B,)`; no gradient flows through a choice."""
        choice: Tensor = self.output(features).argmax(-1)
        return choice
