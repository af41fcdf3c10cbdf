"""`probe=length`: how fast gradients vanish or explode with sequence length (Bengio et al. 1994; Pascanu et al. 2013).

A recurrent net reads `T` random inputs and is asked for a class after the last. Measured, untrained:

- `‖∂L/∂W_hh‖` against `T`. The last steps dominate this sum over steps: it hardly shows vanishing.
- `‖∂L/∂h_t‖` against the distance `k = T - t` from the loss: the *total* derivative, through all later
  states. It falls or grows as `rate^k`.
- for the tanh net the bound of Pascanu et al. 2013 (arXiv 1211.5063, eqs. 5 to 7):
  `‖∂L/∂h_(T-k)‖ ≤ (γ σ_max(W_hh))^k ‖∂L/∂h_T‖`, where γ = 1 bounds tanh′.

Seeds are a batch dimension. A shorter sequence is the end of the longest, read by the same net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from probeta.errors import check_whole
from probeta.nn.rnn import GATES
from probeta.probes.probe import Findings, Probe, Row, Subject, geometric_mean
from probeta.probes.recurrent_nets import draw_nets, gradients
from probeta.probes.setting import check_names, check_positive, check_whole_list, device_and_dtype, divide_seeds

CHUNK_BYTES = 512 << 20


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
    """`(S,)`: the fitted factor per step."""
    spectral_radius: Tensor
    """`(S,)`: the greatest |eigenvalue| of the recurrent matrix (of the candidate's block in a gated cell)."""
    largest_singular: Tensor
    """`(S,)`: `σ_max` of the same."""

    def bound(self) -> Tensor:
        """`(S, T)`: Pascanu et al.'s bound on `state`; it holds for the tanh net alone."""
        steps = torch.arange(self.state.shape[1], dtype=torch.float64)
        return self.state[:, :1] * self.largest_singular[:, None] ** steps


class LengthProbe(Probe):
    """`‖∂L/∂W_hh‖` and `‖∂L/∂h_t‖` of random recurrent nets of every kind of cell.

    Args:
        lengths: sequence lengths `T`, each from 1.
        cells: kinds of cell, from `rnn`, `lstm`, `gru`.
        hidden_size: units of the layer.
        features: numbers in each input.
        classes: from 2.
        batch_size: sequences that each net reads.
        recurrent_scale: what `W_hh` is multiplied by, above 0.
        gate_bias: added before the sigmoid of the gate that keeps the state.
        seeds: nets of each kind, numbered from the run's `seed`.
        dtype: `float32` or `float64`; norms are computed in float64.

    Raises:
        ConfigError: a value outside these ranges, or a length whose states do not fit in memory.
    """

    name = "length"

    def __init__(
        self,
        lengths: Sequence[int] = (10, 20, 40, 80, 120, 160),
        cells: Sequence[str] = ("rnn", "lstm", "gru"),
        hidden_size: int = 32,
        features: int = 8,
        classes: int = 8,
        batch_size: int = 16,
        recurrent_scale: float = 1.0,
        gate_bias: float = 0.0,
        seeds: int = 32,
        dtype: str = "float64",
        device: str = "cpu",
    ) -> None:
        self.lengths = check_whole_list("probe.lengths", lengths)
        self.cells = check_names("probe.cells", cells, sorted(GATES))
        self.seeds = check_whole("probe.seeds", seeds)
        self.device, self.dtype = device_and_dtype(device, dtype)
        self.settings: dict[str, Any] = {
            "hidden_size": check_whole("probe.hidden_size", hidden_size),
            "features": check_whole("probe.features", features),
            "classes": check_whole("probe.classes", classes, 2),
            "batch_size": check_whole("probe.batch_size", batch_size),
            "recurrent_scale": check_positive("probe.recurrent_scale", recurrent_scale),
            "gate_bias": float(gate_bias),
            "dtype": self.dtype,
        }
        """How nets are drawn: the keywords of `draw_nets`."""

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        rows: list[Row] = []
        metrics: dict[str, float] = {}
        report = [
            "cell   ‖∂L/∂W‖ at T = " + ", ".join(map(str, self.lengths)) + "; factor per step back in ‖∂L/∂h‖",
            "",
        ]
        for cell in self.cells:
            measured = self.norms(cell, seed)
            rows += measurement_rows(measured, seed)
            for length, norms in zip(self.lengths, measured.weight, strict=True):
                metrics[f"weight_gradient/{cell}/{length}"] = finite_mean(norms)
            metrics[f"rate/{cell}"] = finite_mean(measured.rate)
            metrics[f"spectral_radius/{cell}"] = finite_mean(measured.spectral_radius)
            shown = "  ".join(f"{metrics[f'weight_gradient/{cell}/{length}']:.2g}" for length in self.lengths)
            report.append(f"{cell:<6} {shown}   rate {metrics[f'rate/{cell}']:.3f}")
        return Findings(rows, metrics, report=report)

    def norms(self, cell: str, first_seed: int) -> LengthNorms:
        """The nets of `seeds` seeds from `first_seed` on, as many at once as memory is set aside for."""
        longest = self.lengths[-1]
        # Inputs, their product, and what autograd keeps of each gate and each state.
        width = self.settings["features"] + self.settings["hidden_size"] * (GATES[cell] * 4 + 4)
        one = torch.empty((), dtype=self.dtype).element_size() * longest * self.settings["batch_size"] * width
        weight, state, memory, recurrent = [], [], [], []
        seeds = range(first_seed, first_seed + self.seeds)
        for numbers in divide_seeds(seeds, one, CHUNK_BYTES, self.device, "probe.lengths", longest):
            nets = draw_nets(cell, longest, numbers, **self.settings).to(self.device)
            by_length = []
            for length in self.lengths:
                by_weight, by_state = gradients(nets, cell, length)
                by_length.append(norm_of_each(by_weight))
            weight.append(torch.stack(by_length))
            state.append(torch.stack([norm_of_each(parts[0]) for parts in by_state[::-1]], dim=1))
            if cell == "lstm":
                memory.append(torch.stack([norm_of_each(parts[1]) for parts in by_state[::-1]], dim=1))
            recurrent.append(nets.candidate().double().cpu())
        matrix, by_distance = torch.cat(recurrent), torch.cat(state)
        return LengthNorms(
            cell=cell,
            lengths=self.lengths,
            weight=torch.cat(weight, dim=1),
            state=by_distance,
            memory=torch.cat(memory) if memory else None,
            rate=fit_rate(by_distance, self.dtype),
            spectral_radius=torch.linalg.eigvals(matrix).abs().amax(1),
            largest_singular=torch.linalg.svdvals(matrix)[:, 0],
        )


def norm_of_each(gradient: Tensor) -> Tensor:
    """`(S, …)` → `(S,)`, in float64 on the CPU."""
    return gradient.double().flatten(1).norm(dim=1).cpu()


def fit_rate(norms: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """`(S, T)` → `(S,)`: the factor `r` of the least-squares line `log norm = a + k log r`.

    Where a norm is 0 or leaves the range in which gradients in `dtype` keep their digits, the step is left out.
    """
    steps = torch.arange(norms.shape[1], dtype=torch.float64).expand_as(norms)
    # Entries are below the norm, and what they sum up in backpropagation further below: `eps` leaves room for them.
    usable = (norms > torch.finfo(dtype).tiny / torch.finfo(dtype).eps) & norms.isfinite()
    n = usable.sum(1).double()
    k = torch.where(usable, steps, 0.0)
    y = torch.where(usable, norms.clamp_min(1e-300).log(), 0.0)
    k_mean, y_mean = k.sum(1) / n, y.sum(1) / n
    spread = torch.where(usable, k - k_mean[:, None], 0.0)
    slope = (spread * (y - y_mean[:, None])).sum(1) / (spread**2).sum(1)
    return slope.exp()


def finite_mean(values: Tensor) -> float:
    """The geometric mean of what is above 0 and finite, NaN where nothing is."""
    return geometric_mean(values[values.isfinite()], none=float("nan"))


def measurement_rows(measured: LengthNorms, seed: int) -> list[Row]:
    rows: list[Row] = []
    for length, norms in zip(measured.lengths, measured.weight.tolist(), strict=True):
        rows += [
            row_of(measured.cell, "weight_gradient", seed + s, value, length=length) for s, value in enumerate(norms)
        ]
    by_distance = {"state_gradient": measured.state}
    if measured.memory is not None:
        by_distance["memory_gradient"] = measured.memory
    if measured.cell == "rnn":
        # Pascanu et al. bound the plain recurrence; a gated cell has other paths.
        by_distance["bound"] = measured.bound()
    for quantity, table in by_distance.items():
        rows += [
            row_of(measured.cell, quantity, seed + s, value, length=measured.lengths[-1], distance=k)
            for s, values in enumerate(table.tolist())
            for k, value in enumerate(values)
        ]
    for quantity in ("rate", "spectral_radius", "largest_singular"):
        rows += [
            row_of(measured.cell, quantity, seed + s, value)
            for s, value in enumerate(getattr(measured, quantity).tolist())
        ]
    return rows


def row_of(
    cell: str, quantity: str, seed: int, value: float, length: int | None = None, distance: int | None = None
) -> Row:
    return {
        "cell": cell, "quantity": quantity, "seed": seed, "length": length, "distance": distance, "value": value,
    }  # fmt: skip
