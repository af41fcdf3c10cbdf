"""How fast gradients vanish or explode with sequence length (Bengio et al. 1994; Pascanu et al. 2013).

A recurrent net reads `T` random inputs and is asked for a class after the last. Measured, untrained:

- `‖∂L/∂W_hh‖` against `T`. The last steps dominate this sum over steps: it hardly shows vanishing.
- `‖∂L/∂h_t‖` against the distance `k = T - t` from the loss: the *total* derivative, through all later
  states. It falls or grows as `rate^k`.
- for the tanh net the bound of Pascanu et al. 2013 (arXiv 1211.5063, eqs. 5 to 7):
  `‖∂L/∂h_(T-k)‖ ≤ (γ σ_max(W_hh))^k ‖∂L/∂h_T‖`, where γ = 1 bounds tanh′.

Seeds are a batch dimension. A shorter sequence is the end of the longest, read by the same net.
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
from probeta.probes.setting import fit, names, positive, whole, whole_list

CHUNK_BYTES = 512 << 20


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


@dataclass(frozen=True)
class LengthNorms:
    """What was measured of one kind of cell, for `S` seeds; norms in float64."""

    cell: str
    lengths: tuple[int, ...]
    weight: Tensor
    """`(lengths, S)`: `‖∂L/∂W_hh‖` of all gates."""
    state: Tensor
    """`(S, T)`: `‖∂L/∂h_(T-k)‖` for `k = 0 … T - 1`, over the batch, at the greatest length."""
    memory: Tensor | None
    """The same of an LSTM's cell state `c`: the path that its gates keep open."""
    rate: Tensor
    """`(S,)`: the fitted factor a step."""
    spectral_radius: Tensor
    """`(S,)`: the greatest |eigenvalue| of the recurrent matrix (of the candidate's block in a gated cell)."""
    largest_singular: Tensor
    """`(S,)`: `σ_max` of the same."""

    def bound(self) -> Tensor:
        """`(S, T)`: Pascanu et al.'s bound on `state`; it holds for the tanh net alone."""
        steps = torch.arange(self.state.shape[1], dtype=torch.float64)
        return self.state[:, :1] * self.largest_singular[:, None] ** steps


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


class Step(nn.Module):
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
    step = Step(RecurrentLayer(cell, x.shape[-1], hidden_size, bias=False).to(x))
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
    found = torch.autograd.grad(losses.sum(), [recurrent, *flat])
    width = len(states[0])
    return found[0], [tuple(found[1 + i : 1 + i + width]) for i in range(0, len(flat), width)]


def measure_length(
    cell: str,
    lengths: Sequence[int] = (10, 20, 40, 80, 120, 160),
    *,
    seeds: int = 32,
    first_seed: int = 0,
    hidden_size: int = 32,
    features: int = 8,
    classes: int = 8,
    batch_size: int = 16,
    recurrent_scale: float = 1.0,
    gate_bias: float = 0.0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | None = None,
) -> LengthNorms:
    """Measure one kind of cell (`rnn`, `lstm`, `gru`).

    Raises:
        ConfigError: an unknown cell, a size below 1, a length whose states do not fit in memory.
    """
    device = device or torch.device("cpu")
    [cell] = names("probe.cells", cell, sorted(GATES))
    different = whole_list("probe.lengths", lengths, 1)
    sizes = {"seeds": seeds, "hidden_size": hidden_size, "features": features, "batch_size": batch_size}
    for key, value in sizes.items():
        whole(f"probe.{key}", value, 1)
    whole("probe.classes", classes, 2)
    positive("probe.recurrent_scale", recurrent_scale)
    # Inputs, their product, and what autograd keeps of each gate and each state.
    width = features + hidden_size * (GATES[cell] * 4 + 4)
    one = torch.empty((), dtype=dtype).element_size() * different[-1] * batch_size * width
    fit("probe.lengths", different[-1], one, device)
    chunk = max(1, min(seeds, CHUNK_BYTES // one))
    weight: list[list[Tensor]] = []
    state, memory, recurrent = [], [], []
    for start in range(0, seeds, chunk):
        numbers = [first_seed + s for s in range(start, min(start + chunk, seeds))]
        nets = draw_nets(
            cell, different[-1], numbers, features=features, hidden_size=hidden_size, classes=classes,
            batch_size=batch_size, recurrent_scale=recurrent_scale, gate_bias=gate_bias, dtype=dtype,
        )  # fmt: skip
        nets = Nets(
            {name: p.to(device) for name, p in nets.parameters.items()},
            nets.output.to(device), nets.bias.to(device), nets.x.to(device), nets.y.to(device), gate_bias,
        )  # fmt: skip
        weight.append([])
        for length in different:
            by_weight, by_state = gradients(nets, cell, length)
            weight[-1].append(by_weight.double().flatten(1).norm(dim=1).cpu())
        state.append(torch.stack([parts[0].double().flatten(1).norm(dim=1) for parts in by_state[::-1]], dim=1).cpu())
        if cell == "lstm":
            memory.append(torch.stack([p[1].double().flatten(1).norm(dim=1) for p in by_state[::-1]], dim=1).cpu())
        # In torch's order of gates the candidate is third in an LSTM and last in a GRU.
        block = {"rnn": 0, "gru": 2, "lstm": 2}[cell] * hidden_size
        recurrent.append(nets.parameters["weight_hh"][:, block : block + hidden_size].double().cpu())
    matrix, by_distance = torch.cat(recurrent), torch.cat(state)
    return LengthNorms(
        cell=cell,
        lengths=different,
        weight=torch.cat([torch.stack(part) for part in weight], dim=1),
        state=by_distance,
        memory=torch.cat(memory) if memory else None,
        rate=fitted_rate(by_distance),
        spectral_radius=torch.linalg.eigvals(matrix).abs().amax(1),
        largest_singular=torch.linalg.svdvals(matrix)[:, 0],
    )


def fitted_rate(norms: Tensor) -> Tensor:
    """`(S, T)` → `(S,)`: the factor `r` of the least-squares line `log norm = a + k log r`.

    Where a norm is 0 or has left the format's range there is no logarithm: such steps are left out.
    """
    steps = torch.arange(norms.shape[1], dtype=torch.float64).expand_as(norms)
    usable = (norms > torch.finfo(torch.float64).tiny * 1e20) & norms.isfinite()
    n = usable.sum(1).double()
    k = torch.where(usable, steps, 0.0)
    y = torch.where(usable, norms.clamp_min(1e-300).log(), 0.0)
    k_mean, y_mean = k.sum(1) / n, y.sum(1) / n
    spread = torch.where(usable, k - k_mean[:, None], 0.0)
    slope = (spread * (y - y_mean[:, None])).sum(1) / (spread**2).sum(1)
    return slope.exp()
