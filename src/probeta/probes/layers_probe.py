"""`probe=layers`: the gradient at the output of every module of any model, at initialisation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from probeta.errors import ConfigError
from probeta.probes.probe import Findings, Objective, Probe, Row, Subject
from probeta.probes.recorder import GradientRecorder, plain_paths
from probeta.probes.setting import DTYPES, device_and_dtype, whole


class LayersProbe(Probe):
    """`probeta.probes.recorder` on the configured model, as `seeds` seeds initialise it, in training mode.

    Of recurrent layers the norm at each state is recorded too: `quantity=state`, `step` in order of
    computation.
    """

    name = "layers"

    def __init__(self, seeds: int = 8, dtype: str = "float32", device: str = "cpu") -> None:
        self.seeds = whole("probe.seeds", seeds, 1)
        self.device, _ = device_and_dtype(device, dtype)
        self.dtype = DTYPES[dtype]

    @property
    def needs_model(self) -> bool:
        return True

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        if subject is None:
            raise ConfigError("probe=layers looks into a model: add data=NAME model=NAME")
        rows: list[Row] = []
        norms: dict[str, list[float]] = {}
        batch = tree_map(self.cast, subject.batch)
        for own in range(seed, seed + self.seeds):
            objective = Objective(subject.build(own)).to(self.device, self.dtype).train()
            with torch.random.fork_rng(), plain_paths(objective):
                torch.manual_seed(own)
                with GradientRecorder(objective.model) as recorder:
                    loss = objective(batch)
            found = {name.removeprefix("net."): norm for name, norm in recorder.norms(loss).items()}
            for name, norm in found.items():
                norms.setdefault(name, []).append(norm)
                rows.append({"quantity": "output", "module": name, "seed": own, "gradient_norm": norm})
            for name, steps in recorder.step_norms(loss).items():
                state = {"quantity": "state", "module": name.removeprefix("net."), "seed": own}
                rows += [{**state, "step": t, "gradient_norm": norm} for t, norm in enumerate(steps)]
        metrics = {f"output_gradient/{name}": mean(values) for name, values in norms.items()}
        report = ["‖∂L/∂output‖₂ of every module, geometric mean over seeds", ""]
        report += [f"  {name:<40}{mean(values):.3g}" for name, values in norms.items()]
        return Findings(rows, metrics, report=report)

    def cast(self, x: object) -> object:
        if not isinstance(x, Tensor):
            return x
        return x.to(self.device, self.dtype) if x.is_floating_point() else x.to(self.device)


def mean(values: list[float]) -> float:
    """The geometric mean of what is above 0."""
    positive = torch.tensor([v for v in values if v > 0], dtype=torch.float64)
    return float(positive.log().mean().exp()) if len(positive) else 0.0
