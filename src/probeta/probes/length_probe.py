"""`probe=length`: gradient norms against sequence length, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from probeta.nn.rnn import GATES
from probeta.probes.length import LengthNorms, measure_length
from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import device_and_dtype, names, positive, whole, whole_list


class LengthProbe(Probe):
    """`probeta.probes.length` for every kind of cell; `seeds` nets of each, numbered from `seed`."""

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
        self.lengths = whole_list("probe.lengths", lengths, 1)
        self.cells = names("probe.cells", cells, sorted(GATES))
        self.sizes = {
            "hidden_size": whole("probe.hidden_size", hidden_size, 1),
            "features": whole("probe.features", features, 1),
            "classes": whole("probe.classes", classes, 2),
            "batch_size": whole("probe.batch_size", batch_size, 1),
            "seeds": whole("probe.seeds", seeds, 1),
        }
        self.recurrent_scale = positive("probe.recurrent_scale", recurrent_scale)
        self.gate_bias = float(gate_bias)
        self.device, self.dtype = device_and_dtype(device, dtype)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        rows: list[Row] = []
        metrics: dict[str, float] = {}
        report = ["cell   ‖∂L/∂W‖ at T = " + ", ".join(map(str, self.lengths)) + "; factor a step back in ‖∂L/∂h‖", ""]
        for cell in self.cells:
            measured = measure_length(
                cell, self.lengths, first_seed=seed, recurrent_scale=self.recurrent_scale, gate_bias=self.gate_bias,
                dtype=self.dtype, device=self.device, **self.sizes,
            )  # fmt: skip
            rows += self.rows(measured, seed)
            for length, norms in zip(self.lengths, measured.weight, strict=True):
                metrics[f"weight_gradient/{cell}/{length}"] = mean(norms)
            metrics[f"rate/{cell}"] = mean(measured.rate)
            metrics[f"spectral_radius/{cell}"] = mean(measured.spectral_radius)
            shown = "  ".join(f"{metrics[f'weight_gradient/{cell}/{length}']:.2g}" for length in self.lengths)
            report.append(f"{cell:<6} {shown}   rate {metrics[f'rate/{cell}']:.3f}")
        return Findings(rows, metrics, report=report)

    def rows(self, measured: LengthNorms, seed: int) -> list[Row]:
        rows: list[Row] = []
        for length, norms in zip(measured.lengths, measured.weight.tolist(), strict=True):
            rows += [
                self.row(measured.cell, "weight_gradient", seed + s, value, length=length)
                for s, value in enumerate(norms)
            ]
        by_distance = {"state_gradient": measured.state}
        if measured.memory is not None:
            by_distance["memory_gradient"] = measured.memory
        if measured.cell == "rnn":
            # Pascanu et al. bound the plain recurrence; a gated cell has other paths.
            by_distance["bound"] = measured.bound()
        for quantity, table in by_distance.items():
            rows += [
                self.row(measured.cell, quantity, seed + s, value, length=measured.lengths[-1], distance=k)
                for s, values in enumerate(table.tolist())
                for k, value in enumerate(values)
            ]
        for quantity in ("rate", "spectral_radius", "largest_singular"):
            rows += [
                self.row(measured.cell, quantity, seed + s, value)
                for s, value in enumerate(getattr(measured, quantity).tolist())
            ]
        return rows

    @staticmethod
    def row(
        cell: str, quantity: str, seed: int, value: float, length: int | None = None, distance: int | None = None
    ) -> Row:
        return {
            "cell": cell, "quantity": quantity, "seed": seed, "length": length, "distance": distance, "value": value,
        }  # fmt: skip


def mean(values: Tensor) -> float:
    """The geometric mean: these numbers spread over orders of magnitude."""
    usable = values[(values > 0) & values.isfinite()]
    return float(usable.log().mean().exp()) if len(usable) else float("nan")
