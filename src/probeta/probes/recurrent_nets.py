"""Random recurrent nets, many at once, and the gradients of their loss: what `probe=length` measures.

A net reads `T` random inputs and is asked for a class after the last. Nothing is trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from probeta.nn.rnn import GATES, CellState, RecurrentLayer


@dataclass(frozen=True)
class Nets:
    """`S` recurrent nets and their data: what the probe measures and what its twin test loops over."""

    parameters: dict[str, Tensor]
    """Those of `nn.rnn.RecurrentLayer`, `(S, …)` each."""
    output: Tensor
    """`(S, classes, H)`"""
    bias: Tensor
    """`(S, classes)`"""
    x: Tensor
    """`(S, B, T, I)`"""
    y: Tensor
    """`(S, B)` class ids."""
    gate_bias: float = 0.0

    def to(self, device: torch.device) -> Nets:
        """The same nets and data on `device`."""
        parameters = {name: p.to(device) for name, p in self.parameters.items()}
        output, bias, x, y = (part.to(device) for part in (self.output, self.bias, self.x, self.y))
        return Nets(parameters, output, bias, x, y, self.gate_bias)

    def candidate(self) -> Tensor:
        """`(S, H, H)`: `W_hh`; of a gated cell the candidate's block (third of an LSTM's four, last of a GRU's)."""
        hidden_size = self.output.shape[-1]
        weight = self.parameters["weight_hh"]
        first = min(weight.shape[1] - hidden_size, 2 * hidden_size)
        return weight[:, first : first + hidden_size]


def draw_nets(
    cell: str,
    length: int,
    seeds: Sequence[int],
    *,
    features: int,
    hidden_size: int,
    classes: int,
    batch_size: int,
    recurrent_scale: float,
    gate_bias: float = 0.0,
    dtype: torch.dtype,
) -> Nets:
    """The notebook's net and data: no recurrent bias, uniform weights in ±1/√fan-in, `recurrent_scale` on W_hh.

    `gate_bias` is added before the sigmoid of the gate that keeps the state: an LSTM's forget gate
    (Jozefowicz et al. 2015 recommend 1), a GRU's update gate.

    Each seed draws from a generator of its own, so it never depends on its neighbours.
    """
    rows = GATES[cell] * hidden_size
    drawn: list[tuple[Tensor, ...]] = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)

        def uniform(*shape: int, fan: int, generator: torch.Generator = generator) -> Tensor:
            return (torch.rand(*shape, generator=generator, dtype=torch.float64) * 2 - 1) / math.sqrt(fan)

        drawn.append(
            (
                uniform(rows, features, fan=features),
                uniform(rows, hidden_size, fan=hidden_size) * recurrent_scale,
                uniform(classes, hidden_size, fan=hidden_size),
                uniform(classes, fan=hidden_size),
                torch.randn(length, batch_size, features, generator=generator, dtype=torch.float64),
                torch.randint(classes, (batch_size,), generator=generator),
            )
        )
    w_ih, w_hh, output, bias, x, y = (torch.stack(parts) for parts in zip(*drawn, strict=True))
    parameters = {"weight_ih": w_ih.to(dtype), "weight_hh": w_hh.to(dtype)}
    return Nets(parameters, output.to(dtype), bias.to(dtype), x.transpose(1, 2).to(dtype), y, gate_bias)


class LayerStep(nn.Module):
    """One step of a layer as a module's `forward`, which is what `functional_call` calls."""

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, z: Tensor, state: CellState) -> CellState:
        return self.layer.step(z, state)


def gradients(nets: Nets, cell: str, length: int) -> tuple[Tensor, list[CellState]]:
    """`∂L/∂W_hh (S, rows, H)` and the total derivatives of every step's state, `(S, B, H)` each, in order.

    Each state is the very tensor that the next step reads: its gradient holds every path to the loss.
    """
    hidden_size = nets.output.shape[-1]
    x = nets.x[:, :, nets.x.shape[2] - length :]
    step = LayerStep(RecurrentLayer(cell, x.shape[-1], hidden_size, bias=False).to(x))
    recurrent = nets.parameters["weight_hh"].detach().requires_grad_(True)
    parameters = {"layer.weight_ih": nets.parameters["weight_ih"], "layer.weight_hh": recurrent}

    def one(own: dict[str, Tensor], z: Tensor, state: CellState) -> CellState:
        result: CellState = functional_call(step, own, (z, state))
        return result

    advance = vmap(one)
    z = torch.einsum("sbti,sri->tsbr", x, nets.parameters["weight_ih"])
    if cell != "rnn":
        # The gate that keeps the state is the second in torch's order, of an LSTM and of a GRU alike.
        keep = torch.zeros(z.shape[-1] // hidden_size, 1, dtype=z.dtype, device=z.device)
        keep[1] = nets.gate_bias
        z = z + keep.expand(-1, hidden_size).flatten()
    zeros = x.new_zeros(x.shape[0], x.shape[1], hidden_size)
    state: CellState = (zeros, zeros) if cell == "lstm" else (zeros,)
    states: list[CellState] = []
    for t in range(length):
        state = advance(parameters, z[t], state)
        states.append(state)
    logits = torch.einsum("sbh,sch->sbc", state[0], nets.output) + nets.bias[:, None]
    losses = F.cross_entropy(logits.flatten(0, 1), nets.y.flatten(), reduction="none").view(nets.y.shape).mean(1)
    flat = [part for parts in states for part in parts]
    by_weight, *by_part = torch.autograd.grad(losses.sum(), [recurrent, *flat])
    parts = len(states[0])
    return by_weight, [tuple(by_part[i : i + parts]) for i in range(0, len(flat), parts)]
