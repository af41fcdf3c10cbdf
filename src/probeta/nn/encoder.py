"""The recurrent encoder: token ids in, one vector a token and the final states out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from probeta.errors import ConfigError
from probeta.nn.dropout import Dropout
from probeta.nn.rnn import CellState, Recurrent


class Encoded(NamedTuple):
    outputs: Tensor
    """`(B, S, D·H)`, D = 2 if bidirectional."""
    states: tuple[CellState, ...]
    """A state per layer, `(B, H)`, as a decoder's start."""
    mask: Tensor
    """`(B, S)` bool, True at real tokens."""


class Bridge(nn.Module):
    """tanh(W [forward; backward]) for each layer and each part of its state: 2H → H."""

    def __init__(self, cell: str, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.parts = 2 if cell == "lstm" else 1
        self.linears = nn.ModuleList(nn.Linear(2 * hidden_size, hidden_size) for _ in range(layers * self.parts))

    def forward(self, states: tuple[CellState, ...]) -> tuple[CellState, ...]:
        linears = iter(self.linears)
        return tuple(
            tuple(torch.tanh(next(linears)(torch.cat(part, dim=-1))) for part in zip(*pair, strict=True))
            for pair in zip(states[::2], states[1::2], strict=True)
        )


class Encoder(nn.Module):
    """Embedding, dropout, `layers` recurrent layers (Sutskever et al. 2014; bidirectional: Bahdanau et al. 2015).

    `dropout` acts on embeddings, between layers and on the outputs that attention reads; with `variational` one
    mask serves all time steps. Padding (`pad_id`) changes nothing: states are held over it.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        pad_id: int,
        cell: str = "lstm",
        layers: int = 1,
        embedding_size: int = 64,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        bidirectional: bool = False,
        variational: bool = False,
    ) -> None:
        super().__init__()
        for key, value in (("embedding_size", embedding_size), ("hidden_size", hidden_size)):
            if value < 1:
                raise ConfigError.value(f"model.encoder.{key}", value, "a whole number from 1")
        self.pad_id = pad_id
        shared = (1,) if variational else ()
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = Dropout(dropout, shared)
        self.recurrent = Recurrent(
            cell, embedding_size, hidden_size, layers, bidirectional, dropout, variational=variational, fused=True
        )
        self.output_dropout = Dropout(output_dropout, shared)
        self.bridge = Bridge(cell, hidden_size, layers) if bidirectional else None
        self.output_size = self.recurrent.output_size

    def forward(self, source: Tensor) -> Encoded:
        """`source (B, S)` ids."""
        mask = source != self.pad_id
        embedded = self.embedding_dropout(self.embedding(source))
        run = self.recurrent(embedded, mask=mask)
        states = run.states if self.bridge is None else self.bridge(run.states)
        return Encoded(self.output_dropout(run.outputs), states, mask)
