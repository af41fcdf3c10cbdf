"""`probe=depth`: gradient norms against depth, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from probeta.errors import ConfigError
from probeta.nn.mlp import ACTIVATIONS
from probeta.probes.depth import INITS, measure_depth
from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import device_and_dtype, names, positive, whole, whole_list


class DepthProbe(Probe):
    """`probeta.probes.depth` for every combination of the settings; `seeds` nets of each, numbered from `seed`."""

    name = "depth"

    def __init__(
        self,
        depths: Sequence[int] = (10, 20, 30, 40),
        activations: Sequence[str] = ("sigmoid", "tanh", "relu", "gelu"),
        width: int = 128,
        seeds: int = 64,
        init: str = "default",
        scale: float = 1.0,
        residual: bool = False,
        layer_norm: bool = False,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.depths = whole_list("probe.depths", depths, 1)
        self.activations = names("probe.activations", activations, sorted(ACTIVATIONS))
        self.width = whole("probe.width", width, 1)
        self.seeds = whole("probe.seeds", seeds, 1)
        if init not in INITS:
            raise ConfigError.unknown("probe.init", init, INITS)
        self.init, self.scale = init, positive("probe.scale", scale)
        self.residual, self.layer_norm = residual, layer_norm
        self.device, self.dtype = device_and_dtype(device, dtype)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        measured = measure_depth(
            self.activations, self.depths, width=self.width, seeds=self.seeds, first_seed=seed, init=self.init,
            scale=self.scale, residual=self.residual, layer_norm=self.layer_norm, dtype=self.dtype, device=self.device,
        )  # fmt: skip
        rows: list[Row] = []
        metrics: dict[str, float] = {}
        report = ["‖∂L/∂x‖₂ at the input, geometric mean over seeds", ""]
        for activation in self.activations:
            means = []
            for depth in self.depths:
                norms = measured.norms[depth][self.activations.index(activation)]
                at_input = measured.at_input(activation, depth)
                mean = float(at_input[at_input > 0].log().mean().exp()) if (at_input > 0).any() else 0.0
                metrics[f"input_gradient/{activation}/{depth}"] = mean
                metrics[f"lost/{activation}/{depth}"] = float((at_input == 0).double().mean())
                means.append(f"{depth}: {mean:.1e}")
                rows += [
                    {"activation": activation, "depth": depth, "seed": seed + s, "layer": layer, "gradient_norm": norm}
                    for s, net in enumerate(norms.tolist())
                    for layer, norm in enumerate(net)
                ]
            report.append(f"{activation:<10}" + "   ".join(means))
        return Findings(rows, metrics, report=report)
