"""`probe=curvature`: what an optimizer feels of the loss around the initial weights, or those of a finished run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from probeta.curvature.draws import Draws
from probeta.curvature.lanczos import Product, lanczos
from probeta.curvature.loss import StackedLoss
from probeta.curvature.noise_scale import measure_noise
from probeta.errors import ConfigError, check_whole, check_whole_or_null
from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import check_positive, device_and_dtype

MOST_BYTES = 1 << 30
"""Of the vectors that eigenvalues are searched with: more nets are measured one group after the other."""

LARGE = 100_000
"""Parameters above which a net is large: it is measured less thoroughly by default, so that a Transformer takes less
than a minute."""

TOLERANCES = {torch.float64: 1e-7, torch.float32: 1e-5}

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
    1901.10159). The least eigenvalue of a Gauss–Newton matrix, which is never below 0, is not searched for. The loss is
    that of training without dropout, on the first `examples` training examples; of a finished run (`run=DIR`) it is
    measured at its kept weights. The run says what its nulls came to.

    Args:
        seeds: nets, numbered from the run's `seed`; one where they are a finished run's; null: 8, of more than 100,000
            parameters 2.
        examples: of the first training batch, from 2.
        steps: products of an eigenvalue's search at most.
        tolerance: residual of the extreme eigenvalues, relative to the greatest magnitude; null: 1e-7 in float64, 1e-5
            in float32.
        draws: random vectors of the trace and of the density, from 2; null: 16, for more than 100,000 parameters 4.
        density_steps: products for each vector of the density.
        dtype: `float32` or `float64`; null: float64, for more than 100,000 parameters float32.
        run: directory of a finished run, whose kept weights are looked at; null: the configured model's initial ones.

    Raises:
        ConfigError: a value outside these ranges.
    """

    name = "curvature"
    needs_model = True

    def __init__(
        self,
        seeds: int | None = None,
        examples: int = 256,
        steps: int = 200,
        tolerance: float | None = None,
        draws: int | None = None,
        density_steps: int = 40,
        dtype: str | None = None,
        device: str = "cpu",
        run: str | None = None,
    ) -> None:
        self.run = run
        self.seeds = check_whole_or_null("probe.seeds", seeds, 1, "for as many as the size of the net allows")
        self.examples = check_whole("probe.examples", examples, 2)
        self.steps = check_whole("probe.steps", steps, 2)
        self.tolerance = None if tolerance is None else check_positive("probe.tolerance", tolerance)
        if self.tolerance is not None and self.tolerance >= 1:
            raise ConfigError.value("probe.tolerance", tolerance, "a relative residual, 0 < tolerance < 1")
        self.draws = check_whole_or_null("probe.draws", draws, 2, "for as many as the size of the net asks for")
        self.density_steps = check_whole("probe.density_steps", density_steps, 2)
        self.device, self.dtype = device_and_dtype(device, dtype or "float32")
        self.chooses_dtype = dtype is None and self.device.type != "mps"

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        subject = self.require(subject)
        size = sum(p.numel() for p in subject.build(seed).parameters() if p.requires_grad)
        large = size > LARGE
        dtype = torch.float64 if self.chooses_dtype and not large else self.dtype
        tolerance, draws = self.tolerance or TOLERANCES[dtype], self.draws or (4 if large else 16)
        nets = subject.nets(seed, self.seeds or (2 if large else 8))
        batch = subject.examples(self.examples, self.device)
        vectors = min(max(self.steps, self.density_steps), size)
        group = max(1, MOST_BYTES // (vectors * size * dtype.itemsize))
        rows: list[Row] = []
        for start in range(0, len(nets), group):
            part = nets[start : start + group]
            loss = StackedLoss.of([net.model.to(self.device) for net in part], dtype)
            rows += self.measure_nets(loss, batch, [net.seed for net in part], tolerance, draws)
        values: dict[str, list[float]] = {}
        for row in rows:
            if row["quantity"] != "density" and math.isfinite(row["value"]):
                kind = "gauss_newton" if row["matrix"] == "gauss_newton" else "curvature"
                values.setdefault(f"{kind}/{row['quantity']}", []).append(row["value"])
        metrics = {name: fmean(of_nets) for name, of_nets in values.items()}
        where = "of the run's weights" if subject.trained else "at initialisation"
        over = f"mean over {len(nets)} nets" if len(nets) > 1 else "one net"
        used = f"{size:,} parameters in {str(dtype).removeprefix('torch.')}, {len(tree_leaves(batch)[0])} examples"
        precise = f"eigenvalues to {tolerance:.0e}, {draws} random vectors of {self.density_steps} products"
        report = [f"Curvature of the training loss {where}, {over}", f"  {used}; {precise}", ""]
        report += [f"  {words:<48}{metrics[name]:.4g}" for name, words in REPORTED.items() if name in metrics]
        return Findings(rows, metrics, report=report)

    def measure_nets(
        self, loss: StackedLoss, batch: object, seeds: list[int], tolerance: float, draws: int
    ) -> list[Row]:
        point, vectors = loss.at(batch), Draws(seeds, loss.flat)
        ends = {"largest": -1, "smallest": 0}
        rows = self.extremes("hessian", point.hessian, vectors, tolerance, ends)
        rows += self.spectrum("hessian", point.hessian, vectors, draws)
        if loss.has_outputs:
            rows += self.extremes("gauss_newton", point.gauss_newton, vectors, tolerance, {"largest": -1})
            rows += self.spectrum("gauss_newton", point.gauss_newton, vectors, draws)
        gradient = point.gradient.detach()
        along = (gradient * point.hessian(gradient)).sum(1) / gradient.square().sum(1)
        noise = measure_noise(loss, batch)
        single = {
            "along_gradient": along,
            "critical_batch": noise.critical_batch,
            "signal_to_noise": noise.signal_to_noise(noise.examples),
        }
        for name, values in single.items():
            rows += list_rows("", name, seeds, values)
        return rows

    def extremes(
        self, matrix: str, product: Product, vectors: Draws, tolerance: float, ends: dict[str, int]
    ) -> list[Row]:
        """The eigenvalues at the named `ends`, with their residuals."""
        found, rows = lanczos(product, vectors.normal(), self.steps, tolerance, tuple(ends.values())), []
        for name, end in ends.items():
            values, errors = ([getattr(ritz, kind)[end] for ritz in found] for kind in ("values", "residuals"))
            rows += list_rows(matrix, name, vectors.seeds, values, errors)
        return rows

    def spectrum(self, matrix: str, product: Product, vectors: Draws, draws: int) -> list[Row]:
        """The density as seen from `draws` random vectors; its means, times the parameters, are Hutchinson's trace."""
        rows: list[Row] = []
        means = []
        for _ in range(draws):
            seen = lanczos(product, vectors.signs(), self.density_steps)
            means.append(torch.stack([ritz.weights @ ritz.values for ritz in seen]))
            rows += [
                {"matrix": matrix, "quantity": "density", "seed": seed, "value": value, "weight": weight / draws}
                for seed, ritz in zip(vectors.seeds, seen, strict=True)
                for value, weight in zip(ritz.values.tolist(), ritz.weights.tolist(), strict=True)
            ]
        traces = torch.stack(means) * vectors.like.shape[1]
        return [*list_rows(matrix, "trace", vectors.seeds, traces.mean(0), traces.std(0) / math.sqrt(draws)), *rows]


def list_rows(
    matrix: str,
    quantity: str,
    seeds: Sequence[int],
    values: Tensor | list[Tensor],
    errors: Tensor | list[Tensor] | None = None,
) -> list[Row]:
    """One row per net; `errors`: a residual, or a standard error."""
    told = [{}] * len(seeds) if errors is None else [{"error": float(error)} for error in errors]
    return [
        {"matrix": matrix, "quantity": quantity, "seed": seed, "value": float(value), **error}
        for seed, value, error in zip(seeds, values, told, strict=True)
    ]
