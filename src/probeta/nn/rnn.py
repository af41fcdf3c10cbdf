"""Recurrent layers with an explicit loop over time: the state of every step can be watched and differentiated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.errors import ConfigError, check_whole
from probeta.nn import cudnn
from probeta.nn.cpu import handwritten
from probeta.nn.cpu.recurrent import scan_layers
from probeta.nn.cpu.scan import step_cell
from probeta.nn.dropout import Dropout

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
"""Rows of the weight matrices per hidden unit, in the order of `torch.nn.{RNN,GRU,LSTM}`."""

CellState = tuple[Tensor, ...]
"""`(hidden,)`, for an LSTM `(hidden, cell)`, each `(B, H)`."""


def step_rnn(z: Tensor, u: Tensor, state: CellState) -> CellState:
    """h_t = tanh(z + u) (Elman 1990)."""
    return (torch.tanh(z + u),)


def step_lstm(z: Tensor, u: Tensor, state: CellState) -> CellState:
    """i, f, o = σ(z + u) and g = tanh(z + u), each of rows of its own; c_t = f c_(t-1) + i g; h_t = o tanh(c_t).

    Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """
    _, c = state
    i, f, g, o = (z + u).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def step_gru(z: Tensor, u: Tensor, state: CellState) -> CellState:
    """r, s = σ(z + u) and n = tanh(z + r u), each of rows of its own; h_t = (1 - s) n + s h_(t-1).

    Cho et al. 2014, arXiv 1406.1078, eqs. 5 to 8, where s is z and n is h̃. As in torch, r multiplies U h, not h.
    """
    (h,) = state
    z_r, z_s, z_n = z.chunk(3, dim=-1)
    u_r, u_s, u_n = u.chunk(3, dim=-1)
    n = torch.tanh(z_n + torch.sigmoid(z_r + u_r) * u_n)
    s = torch.sigmoid(z_s + u_s)
    return ((1 - s) * n + s * h,)


CELLS: dict[str, Callable[[Tensor, Tensor, CellState], CellState]] = {
    "rnn": step_rnn,
    "gru": step_gru,
    "lstm": step_lstm,
}
"""z = W_ih x_t + b_ih and u = W_hh h_(t-1) + b_hh, `(B, gates·H)` each, and the state of t - 1 → that of t."""


class Unrolled(NamedTuple):
    """One layer, one direction, over all steps."""

    outputs: Tensor
    """`(B, T, H)` the hidden state after every step; where the mask is False, the one before it."""
    state: CellState
    """The state after the last real step."""
    steps: list[Tensor]
    """`T` tensors `(B, H)`, in order of computation: the very nodes that both the next step and `outputs` read,
    so that `torch.autograd.grad(loss, steps)` gives total derivatives ∂L/∂h_t."""


class Recurrence(NamedTuple):
    """A stack of layers over all steps."""

    outputs: Tensor
    """`(B, T, D·H)` of the top layer, D = 2 if bidirectional (forward half first), else 1."""
    states: tuple[CellState, ...]
    """Final states, a layer's directions side by side: `l0 forward, l0 backward, l1 forward, …`."""
    steps: list[list[Tensor]]
    """`Unrolled.steps` of each of these; empty after `nn.cpu.scan` and `nn.cudnn`."""


class RecurrentLayer(nn.Module):
    """One layer in one direction: z = W_ih x_t + b_ih, u = W_hh h_(t-1) + b_hh, and one of `CELLS` of them.

    Parameters are those of `torch.nn.{RNN,LSTM,GRU}` without the suffix `_l0`. W_ih x is one product for
    all steps. Raises `ConfigError` for an unknown cell or a size below 1.
    """

    def __init__(self, cell: str, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        if cell not in GATES:
            raise ConfigError.unknown("cell", cell, GATES)
        self.cell = cell
        self.input_size = check_whole("input_size", input_size)
        self.hidden_size = check_whole("hidden_size", hidden_size)
        rows = GATES[cell] * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows)) if bias else None
        self.bias_hh = nn.Parameter(torch.empty(rows)) if bias else None
        bound = 1.0 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def initial(self, like: Tensor) -> CellState:
        """Zeros `(B, H)` for the batch of `like (B, …)`."""
        zeros = like.new_zeros(like.shape[0], self.hidden_size)
        return (zeros, zeros) if self.cell == "lstm" else (zeros,)

    def step(self, z: Tensor, state: CellState) -> CellState:
        """One step from z = W_ih x_t + b_ih, `(B, gates·H)`."""
        return self.update(z, F.linear(state[0], self.weight_hh, self.bias_hh), state)

    def update(self, z: Tensor, u: Tensor, state: CellState) -> CellState:
        """One step from z and u = W_hh h_(t-1) + b_hh, `(B, gates·H)` each."""
        if self.cell == "lstm" and not torch.is_grad_enabled() and handwritten():
            return step_cell(z + u, state[1])
        return CELLS[self.cell](z, u, state)

    def forward(
        self, x: Tensor, state: CellState | None = None, mask: Tensor | None = None, reverse: bool = False
    ) -> Unrolled:
        """`x (B, T, I)`; `mask (B, T)` bool, False where a step is padding and the state is held."""
        state = self.initial(x) if state is None else state
        z = F.linear(x, self.weight_ih, self.bias_ih)
        steps: list[Tensor] = []
        for t in range(x.shape[1] - 1, -1, -1) if reverse else range(x.shape[1]):
            new = self.step(z[:, t], state)
            if mask is not None:
                new = tuple(torch.where(mask[:, t, None], a, b) for a, b in zip(new, state, strict=True))
            state = new
            steps.append(state[0])
        return Unrolled(torch.stack(steps[::-1] if reverse else steps, dim=1), state, steps)

    def extra_repr(self) -> str:
        return f"{self.cell}, {self.input_size} -> {self.hidden_size}"


class Recurrent(nn.Module):
    """`layers` recurrent layers, optionally in both directions (Schuster & Paliwal 1997), dropout in between.

    The mask holds states over padding, so that padding on either side never changes a result. `variational` uses one
    dropout mask for all steps (Gal & Ghahramani 2016). `fused` is for callers that do not read `steps`: on a GPU
    cuDNN may then run the layers, on a CPU an LSTM may take `nn.cpu.scan`; neither has them.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        bias: bool = True,
        variational: bool = False,
        fused: bool = False,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.layers = check_whole("layers", layers)
        self.hidden_size = hidden_size
        self.directions = 2 if bidirectional else 1
        self.output_size = self.directions * hidden_size
        self.fused = fused
        fans = [input_size, *[self.output_size] * (layers - 1)]
        self.cells = nn.ModuleList(
            RecurrentLayer(cell, fan_in, hidden_size, bias) for fan_in in fans for _ in range(self.directions)
        )
        self.dropout = nn.ModuleList(Dropout(dropout, (1,) if variational else ()) for _ in range(layers - 1))

    def layer(self, i: int) -> RecurrentLayer:
        return cast(RecurrentLayer, self.cells[i])

    def weights(self) -> list[Tensor]:
        """All parameters, in the order of those of `torch.nn.{RNN,LSTM,GRU}`."""
        return [parameter for cell in self.cells for parameter in cell.parameters()]

    def forward(self, x: Tensor, states: Sequence[CellState] | None = None, mask: Tensor | None = None) -> Recurrence:
        """`x (B, T, I)`, initial `states` (one per layer and direction; zeros if `None`), `mask (B, T)`."""
        if self.fused and cudnn.covers(x):
            lengths = torch.full((len(x),), x.shape[1]) if mask is None else cudnn.lengths_of(mask)
            if lengths is not None:
                return Recurrence(*cudnn.run_layers(self, x, states, mask, lengths), [])
        if self.fused and self.cell == "lstm" and handwritten():
            return Recurrence(*scan_layers(self, x, states, mask), [])
        final: list[CellState] = []
        steps: list[list[Tensor]] = []
        for layer in range(self.layers):
            if layer:
                x = self.dropout[layer - 1](x)
            outputs = []
            for direction in range(self.directions):
                i = layer * self.directions + direction
                start = None if states is None else states[i]
                run: Unrolled = self.layer(i)(x, start, mask, reverse=direction == 1)
                outputs.append(run.outputs)
                final.append(run.state)
                steps.append(run.steps)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
        return Recurrence(x, tuple(final), steps)
