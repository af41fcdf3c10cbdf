"""`probe=layers`: the gradient at the output of every module of any model, at initialisation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from probeta.errors import check_whole
from probeta.nn.cpu import set_enabled
from probeta.probes.probe import Findings, Probe, Row, Subject, TrainingLoss, geometric_mean
from probeta.probes.recorder import GradientRecorder
from probeta.probes.setting import device_and_dtype


class LayersProbe(Probe):
    """`probeta.probes.recorder` on the configured model, as `seeds` seeds initialise it, in training mode.

    Of recurrent layers the norm at each state is recorded too: `quantity=state`, `step` in order of
    computation.
    """

    name = "layers"
    needs_model = True

    def __init__(self, seeds: int = 8, dtype: str = "float32", device: str = "cpu") -> None:
        self.seeds = check_whole("probe.seeds", seeds)
        self.device, self.dtype = device_and_dtype(device, dtype)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        subject = self.require(subject)
        rows: list[Row] = []
        norms: dict[str, list[float]] = {}
        batch = tree_map(self.cast, subject.batch)
        for own, model in subject.nets(seed, self.seeds):
            objective = TrainingLoss(model).to(self.device, self.dtype).train()
            with torch.random.fork_rng(), set_enabled(False):
                torch.manual_seed(own)
                with GradientRecorder(objective.model) as recorder:
                    loss = objective(batch)
            for name, norm in recorder.norms(loss).items():
                module = name.removeprefix("net.")
                norms.setdefault(module, []).append(norm)
                rows.append({"quantity": "output", "module": module, "seed": own, "gradient_norm": norm})
            for name, steps in recorder.step_norms(loss).items():
                state = {"quantity": "state", "module": name.removeprefix("net."), "seed": own}
                rows += [{**state, "step": t, "gradient_norm": norm} for t, norm in enumerate(steps)]
        means = {name: geometric_mean(torch.tensor(values, dtype=torch.float64)) for name, values in norms.items()}
        metrics = {f"output_gradient/{name}": mean for name, mean in means.items()}
        report = ["‖∂L/∂output‖₂ of every module, geometric mean over seeds", ""]
        report += [f"  {name:<40}{mean:.3g}" for name, mean in means.items()]
        return Findings(rows, metrics, report=report)

    def cast(self, x: object) -> object:
        if not isinstance(x, Tensor):
            return x
        return x.to(self.device, self.dtype) if x.is_floating_point() else x.to(self.device)
