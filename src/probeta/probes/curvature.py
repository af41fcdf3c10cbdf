"""`probe=curvature`: what an optimizer feels of the loss around the initial weights, or those of a finished run."""

from __future__ import annotations

import math
from statistics import fmean

from torch import Tensor

from probeta.curvature.draws import Draws
from probeta.curvature.hutchinson import estimate_trace
from probeta.curvature.lanczos import Product, Ritz, lanczos
from probeta.curvature.loss import StackedLoss
from probeta.curvature.noise_scale import measure_noise
from probeta.errors import ConfigError, check_whole
from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import check_positive, device_and_dtype

MOST_BYTES = 1 << 30
"""Of the vectors that eigenvalues are searched with: more nets are measured one group after the other."""

REPORTED = {
    "curvature/largest": "greatest eigenvalue of the Hessian",
    "curvature/smallest": "smallest",
    "curvature/trace": "trace",
    "curvature/along_gradient": "along the gradient",
    "gauss_newton/largest": "greatest eigenvalue of the Gauss–Newton matrix",
    "gauss_newton/trace": "trace",
    "curvature/critical_batch": "critical batch size",
}


class CurvatureProbe(Probe):
    """The spectra of the Hessian and the Gauss–Newton matrix of the training loss, and the noise of its gradient.

    The greatest eigenvalue λ is the sharpness: gradient descent with a learning rate above 2/λ leaves a quadratic.
    Eigenvalues are found by Lanczos' method to `tolerance`, traces by Hutchinson's with their standard error, the
    densities by stochastic Lanczos quadrature (Ubaru, Chen & Saad 2017; Ghorbani, Krishnan & Xiao 2019, arXiv
    1901.10159). The loss is that of training without dropout, on the first `examples` training examples; of a finished
    run (`run=DIR`) it is measured at its kept weights.

    Args:
        seeds: nets, numbered from the run's `seed`; one where they are a finished run's.
        examples: of the first training batch, from 2.
        steps: products of an eigenvalue's search at most.
        tolerance: residual of the extreme eigenvalues, relative to the greatest magnitude.
        draws: random vectors of the trace and of the density, from 2.
        density_steps: products for each vector of the density.
        run: directory of a finished run, whose kept weights are looked at; null: the configured model's initial ones.

    Raises:
        ConfigError: a value outside these ranges.
    """

    name = "curvature"
    needs_model = True

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
        run: str | None = None,
    ) -> None:
        self.run = run
        self.seeds = check_whole("probe.seeds", seeds)
        self.examples = check_whole("probe.examples", examples, 2)
        self.steps = check_whole("probe.steps", steps, 2)
        self.tolerance = check_positive("probe.tolerance", tolerance)
        if self.tolerance >= 1:
            raise ConfigError.value("probe.tolerance", tolerance, "a relative residual, 0 < tolerance < 1")
        self.draws = check_whole("probe.draws", draws, 2)
        self.density_steps = check_whole("probe.density_steps", density_steps, 2)
        self.device, self.dtype = device_and_dtype(device, dtype)

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        subject = self.require(subject)
        nets = subject.nets(seed, self.seeds)
        batch = subject.examples(self.examples, self.device)
        size = sum(p.numel() for p in nets[0].model.parameters())
        vectors = min(max(self.steps, self.density_steps), size)
        group = max(1, MOST_BYTES // (vectors * size * self.dtype.itemsize))
        rows: list[Row] = []
        for start in range(0, len(nets), group):
            part = nets[start : start + group]
            loss = StackedLoss.of([net.model.to(self.device) for net in part], self.dtype)
            rows += self.measure_nets(loss, batch, [net.seed for net in part])
        values: dict[str, list[float]] = {}
        for row in rows:
            if row["quantity"] != "density" and math.isfinite(row["value"]):
                kind = "gauss_newton" if row["matrix"] == "gauss_newton" else "curvature"
                values.setdefault(f"{kind}/{row['quantity']}", []).append(row["value"])
        metrics = {name: fmean(of_nets) for name, of_nets in values.items()}
        where = "of the run's weights" if subject.trained else "at initialisation"
        report = [f"Curvature of the training loss {where}, mean over {len(nets)} nets", ""]
        report += [f"  {words:<48}{metrics[name]:.4g}" for name, words in REPORTED.items() if name in metrics]
        return Findings(rows, metrics, report=report)

    def measure_nets(self, loss: StackedLoss, batch: object, seeds: list[int]) -> list[Row]:
        point, draws = loss.at(batch), Draws(seeds, loss.flat)
        rows = self.measure_matrix("hessian", point.hessian, loss, draws, seeds)
        if loss.has_outputs:
            rows += self.measure_matrix("gauss_newton", point.gauss_newton, loss, draws, seeds)
        gradient = point.gradient.detach()
        along = (gradient * point.hessian(gradient)).sum(1) / gradient.square().sum(1)
        noise = measure_noise(loss, batch)
        single = {
            "along_gradient": along,
            "critical_batch": noise.critical_batch,
            "signal_to_noise": noise.signal_to_noise(noise.examples),
        }
        for name, values in single.items():
            rows += self.rows("", name, seeds, values)
        return rows

    def measure_matrix(
        self, matrix: str, product: Product, loss: StackedLoss, draws: Draws, seeds: list[int]
    ) -> list[Row]:
        extremes = lanczos(product, draws.normal(), self.steps, self.tolerance)
        trace, error = estimate_trace(product, draws, self.draws)
        rows: list[Row] = []
        for name, end in (("largest", -1), ("smallest", 0)):
            values, errors = ([getattr(r, kind)[end] for r in extremes] for kind in ("values", "residuals"))
            rows += self.rows(matrix, name, seeds, values, errors)
        rows += self.rows(matrix, "trace", seeds, trace, error)
        for _ in range(self.draws):
            seen: list[Ritz] = lanczos(product, draws.signs(), self.density_steps)
            rows += [
                {"matrix": matrix, "quantity": "density", "seed": seed, "value": value, "weight": weight / self.draws}
                for seed, ritz in zip(seeds, seen, strict=True)
                for value, weight in zip(ritz.values.tolist(), ritz.weights.tolist(), strict=True)
            ]
        return rows

    @staticmethod
    def rows(
        matrix: str,
        quantity: str,
        seeds: list[int],
        values: Tensor | list[Tensor],
        errors: Tensor | list[Tensor] | None = None,
    ) -> list[Row]:
        """One row per net; `errors`: a residual, or a standard error."""
        told = [{}] * len(seeds) if errors is None else [{"error": float(error)} for error in errors]
        return [
            {"matrix": matrix, "quantity": quantity, "seed": seed, "value": float(value), **error}
            for seed, value, error in zip(seeds, values, told, strict=True)
        ]
