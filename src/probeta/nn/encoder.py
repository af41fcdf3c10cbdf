"""The recurrent encoder: token ids in, one vector per token and the final states out."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from probeta.errors import check_whole
from probeta.nn.dropout import Dropout
from probeta.nn.rnn import CellState, Recurrent


class Encoded(NamedTuple):
    """What the encoder makes of a batch of sources."""

    outputs: Tensor
    """`(B, S, D·H)`, D = 2 if bidirectional."""
    states: tuple[CellState, ...]
    """One state per layer, `(B, state_size)`, from which the decoder starts."""
    mask: Tensor
    """`(B, S)` bool, True at real tokens."""


class Bridge(nn.Module):
    """tanh(W [forward; backward] + b) for the hidden state of each layer (Bahdanau et al. 2015, A.2.2, which reads the
    backward half alone), W [forward; backward] + b for an LSTM's cell state: `fan_in` → `size`.

    The cell state has no bounds: squashed by tanh, it saturates within an epoch, and without attention no gradient is
    left for the encoder.
    """

    def __init__(self, cell: str, fan_in: int, size: int, layers: int, directions: int) -> None:
        super().__init__()
        self.directions = directions
        parts = 2 if cell == "lstm" else 1
        self.linears = nn.ModuleList(nn.Linear(fan_in, size) for _ in range(layers * parts))

    def forward(self, states: tuple[CellState, ...]) -> tuple[CellState, ...]:
        linears = iter(self.linears)
        bridged: list[CellState] = []
        for layer in zip(*(states[d :: self.directions] for d in range(self.directions)), strict=True):
            hidden, *cell = (next(linears)(torch.cat(part, dim=-1)) for part in zip(*layer, strict=True))
            bridged.append((torch.tanh(hidden), *cell))
        return tuple(bridged)


class Encoder(nn.Module):
    """Embedding, dropout, `layers` recurrent layers (Sutskever et al. 2014; bidirectional: Bahdanau et al. 2015).

    `hidden_size` units per direction (default: `state_size`). The decoder starts from states of `state_size`: a
    `Bridge` maps to them where the sizes differ or there are two directions.

    `dropout` acts on embeddings and between layers, `output_dropout` on the outputs that attention reads; with
    `variational` one mask serves all time steps. Padding (`pad_id`) changes nothing: states are held over it.

    Args:
        cell, layers: as the decoder's, from the model.
        embedding_size: numbers that stand for a word.
        bidirectional: whether a second layer reads from the end.
    """

    supplied: ClassVar[tuple[str, ...]] = ("vocab_size", "state_size", "pad_id", "cell", "layers")
    """Arguments that the model decides: no configuration states them here."""

    def __init__(
        self,
        vocab_size: int,
        state_size: int,
        pad_id: int,
        cell: str = "lstm",
        layers: int = 1,
        embedding_size: int = 64,
        hidden_size: int | None = None,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        bidirectional: bool = False,
        variational: bool = False,
    ) -> None:
        super().__init__()
        hidden_size = state_size if hidden_size is None else hidden_size
        check_whole("model.encoder.embedding_size", embedding_size)
        check_whole("model.encoder.hidden_size", hidden_size)
        self.pad_id = pad_id
        shared = (1,) if variational else ()
        self.embedding = nn.Embedding(vocab_size, embedding_size)
        self.embedding_dropout = Dropout(dropout, shared)
        self.recurrent = Recurrent(
            cell, embedding_size, hidden_size, layers, bidirectional, dropout, variational=variational, fused=True
        )
        self.output_dropout = Dropout(output_dropout, shared)
        self.output_size = self.recurrent.output_size
        bridged = bidirectional or hidden_size != state_size
        self.bridge = Bridge(cell, self.output_size, state_size, layers, 1 + bidirectional) if bridged else None

    def forward(self, source: Tensor) -> Encoded:
        """`source (B, S)` ids → `Encoded`."""
        mask = source != self.pad_id
        embedded = self.embedding_dropout(self.embedding(source))
        run = self.recurrent(embedded, mask=mask)
        states = run.states if self.bridge is None else self.bridge(run.states)
        return Encoded(self.output_dropout(run.outputs), states, mask)
