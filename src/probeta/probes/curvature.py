"""`probe=curvature`: what an optimizer feels of the loss around the initial weights: the Hessian's spectrum."""

from __future__ import annotations

import torch
from torch.utils._pytree import tree_map

from probeta.errors import ConfigError, check_whole
from probeta.nn.cpu import set_enabled
from probeta.probes.hessian import HessianProduct
from probeta.probes.hutchinson import draw_signs, estimate_trace
from probeta.probes.lanczos import lanczos
from probeta.probes.probe import Findings, Probe, Row, Subject, TrainingLoss
from probeta.probes.setting import check_positive, device_and_dtype


class CurvatureProbe(Probe):
    """Extreme eigenvalues, trace and spectral density of the Hessian of the training loss, for each of `seeds` nets.

    The greatest eigenvalue λ is the sharpness: gradient descent with a learning rate above 2/λ leaves a quadratic.
    Eigenvalues are found by Lanczos' method to `tolerance`, the trace by Hutchinson's with its standard error, the
    density by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017; Ghorbani, Krishnan & Xiao 2019, arXiv
    1901.10159). The loss is that of evaluation (no dropout), on the first `examples` training examples.

    Args:
        seeds: nets, numbered from the run's `seed`.
        examples: of the first training batch, from 1.
        steps: products of an eigenvalue's search at most.
        tolerance: residual of the extreme eigenvalues, relative to the greatest magnitude.
        draws: random vectors of the trace and of the density, from 2.
        density_steps: products for each vector of the density.
        dtype: `float32` or `float64`.
        device: `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        ConfigError: a value outside these ranges.
    """

    name = "curvature"

    def __init__(
        self,
        seeds: int = 8,
        examples: int = 256,
        steps: int = 200,
        tolerance: float = 1e-7,
        draws: int = 16,
        density_steps: int = 40,
        dtype: str = "float64",
        device: str = "cpu",
    ) -> None:
        self.seeds = check_whole("probe.seeds", seeds)
        self.examples = check_whole("probe.examples", examples)
        self.steps = check_whole("probe.steps", steps, 2)
        self.tolerance = check_positive("probe.tolerance", tolerance)
        if self.tolerance >= 1:
            raise ConfigError.value("probe.tolerance", tolerance, "a relative residual, 0 < tolerance < 1")
        self.draws = check_whole("probe.draws", draws, 2)
        self.density_steps = check_whole("probe.density_steps", density_steps, 2)
        self.device, self.dtype = device_and_dtype(device, dtype)

    @property
    def needs_model(self) -> bool:
        return True

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        subject = self.require(subject)
        rows: list[Row] = []
        for own in range(seed, seed + self.seeds):
            rows += self.measure_net(subject, own)
        metrics: dict[str, float] = {}
        report = ["Hessian of the training loss at initialisation, mean over seeds", ""]
        for name in ("largest", "smallest", "trace"):
            values = [float(row["value"]) for row in rows if row["quantity"] == name]
            metrics[f"curvature/{name}"] = sum(values) / len(values)
            report.append(f"  {name:<10}{metrics[f'curvature/{name}']:.4g}")
        return Findings(rows, metrics, report=report)

    def measure_net(self, subject: Subject, seed: int) -> list[Row]:
        loss, inputs = subject.loss(seed, self.examples, self.device)
        assert isinstance(loss, TrainingLoss)
        loss = loss.to(self.dtype).eval()
        inputs = tree_map(lambda x: x.to(self.dtype) if torch.is_tensor(x) and x.is_floating_point() else x, inputs)
        parameters = [p for p in loss.parameters() if p.requires_grad]
        generator = torch.Generator().manual_seed(seed)
        with set_enabled(False):  # hand-written gradients are once differentiable
            product = HessianProduct(loss(*inputs), parameters)
        size = len(product)
        start = torch.randn(size, generator=generator, dtype=torch.float64).to(self.device, self.dtype)
        ritz = lanczos(product, start, self.steps, self.tolerance)
        trace, error = estimate_trace(product, size, self.draws, generator)
        rows: list[Row] = [
            {"quantity": "largest", "seed": seed, "value": float(ritz.values[-1]), "error": float(ritz.residuals[-1])},
            {"quantity": "smallest", "seed": seed, "value": float(ritz.values[0]), "error": float(ritz.residuals[0])},
            {"quantity": "trace", "seed": seed, "value": trace, "error": error},
        ]
        for _ in range(self.draws):
            seen = lanczos(product, draw_signs(size, generator).to(self.device, self.dtype), self.density_steps)
            rows += [
                {"quantity": "density", "seed": seed, "value": value, "weight": weight / self.draws}
                for value, weight in zip(seen.values.tolist(), seen.weights.tolist(), strict=True)
            ]
        return rows
