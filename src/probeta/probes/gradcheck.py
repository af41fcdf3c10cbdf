"""`probe=gradcheck`: backpropagation of the configured model, or of a scalar function, against differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from probeta.errors import ConfigError, check_whole
from probeta.probes.bugs import BUGS, find_culprits, inject
from probeta.probes.finite_differences import ParameterOwner, central_differences, find_used_rows, list_layers, sample
from probeta.probes.layer_checks import STEPS, TOLERANCES, LayerCheck, check_gradients, freeze, gradient, shorten
from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import DTYPES, check_names, check_positive, device_and_dtype

FUNCTIONS = ("model", "scalar")
CURVE_PARAMETERS = 10
"""Of each layer, in the curve of error against step: it is about the step, not about a layer."""


class Scalar(nn.Module):
    """sin θ + θ² at θ = 0.7, whose derivative is cos θ + 2θ."""

    def __init__(self, theta: float = 0.7) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self) -> Tensor:
        return (torch.sin(self.theta) + self.theta**2).sum()


class GradcheckProbe(Probe):
    """Check `count` parameters of every layer in each of the `dtypes`, and the error against the step size.

    The loss is that of the first `examples` training examples. `step` and `tolerance` default to what suits a
    format. `inject_bug` breaks the backward pass of
    `bug_layer` (null: the middle one); the check must then fail and name that layer. The verdict is that
    of the first of the `dtypes`.

    Args:
        function: `model`, or `scalar`: sin θ + θ² at θ = 0.7.
        step_curve: whether the error against the step size is measured.
        batched: whether many shifted parameters are evaluated at a time.
    """

    name = "gradcheck"

    def __init__(
        self,
        function: str = "model",
        count: int = 50,
        dtypes: Sequence[str] = ("float64", "float32"),
        step: float | None = None,
        tolerance: float | None = None,
        inject_bug: str | None = None,
        bug_layer: str | None = None,
        step_curve: bool = True,
        examples: int = 32,
        batched: bool = True,
        device: str = "cpu",
    ) -> None:
        if function not in FUNCTIONS:
            raise ConfigError.unknown("probe.function", function, FUNCTIONS)
        if inject_bug is not None and inject_bug not in BUGS:
            raise ConfigError.unknown("probe.inject_bug", inject_bug, BUGS)
        if bug_layer is not None and inject_bug is None:
            raise ConfigError(f"probe.bug_layer={bug_layer} says where, and probe.inject_bug={'|'.join(BUGS)} what")
        self.function, self.inject_bug, self.bug_layer = function, inject_bug, bug_layer
        self.needs_model = function == "model"
        self.count = check_whole("probe.count", count)
        self.examples = check_whole("probe.examples", examples)
        self.dtypes = check_names("probe.dtypes", dtypes, list(DTYPES))
        for dtype in self.dtypes:
            self.device = device_and_dtype(device, dtype)[0]
        self.step = None if step is None else check_positive("probe.step", step)
        self.tolerance = None if tolerance is None else check_positive("probe.tolerance", tolerance)
        self.step_curve, self.batched = step_curve, batched

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        objective, inputs = self.problem(seed, subject)
        bug: AbstractContextManager[None] = nullcontext()
        if self.inject_bug is not None:
            own = [layer.name for layer in list_layers(objective)]
            target = own[len(own) // 2] if self.bug_layer is None else self.bug_layer
            if target not in own and self.function == "model":
                # Layers are named as the model names them; inside the objective the model has a prefix.
                target = f"model.{target}"
            bug = inject(objective, inputs, target, self.inject_bug)
        with bug:
            return self.check(objective, inputs, seed)

    def problem(self, seed: int, subject: Subject | None) -> tuple[nn.Module, tuple[Any, ...]]:
        if self.function == "scalar":
            return Scalar().to(self.device), ()
        return self.require(subject).loss(seed, self.examples, self.device)

    def check(self, objective: nn.Module, inputs: tuple[Any, ...], seed: int) -> Findings:
        rows: list[Row] = []
        metrics: dict[str, float] = {}
        report: list[str] = []
        twin = torch_gradcheck(objective, inputs)
        verdicts: dict[str, list[LayerCheck]] = {}
        for dtype in self.dtypes:
            checks = check_gradients(
                objective, inputs, count=self.count, dtype=DTYPES[dtype], step=self.step, tolerance=self.tolerance,
                seed=seed, batched=self.batched,
            )  # fmt: skip
            verdicts[dtype] = checks
            rows += [self.row(dtype, check, twin) for check in checks]
            metrics[f"error/{dtype}"] = max(check.error for check in checks)
            metrics[f"max_error/{dtype}"] = max(check.max_error for check in checks)
            report += [f"{dtype}, step {self.step or STEPS[DTYPES[dtype]]:g}", *map(format_check, checks), ""]
        metrics["torch_gradcheck"] = float(all(twin.values()))
        if self.step_curve:
            for dtype in self.dtypes:
                steps = [10.0**-k for k in range(1, 13 if dtype == "float64" else 8)]
                curve = error_by_step(objective, inputs, steps, DTYPES[dtype], min(self.count, CURVE_PARAMETERS), seed)
                rows += [{"quantity": "step", "dtype": dtype, "step": step, "error": error} for step, error in curve]
        first = verdicts[self.dtypes[0]]
        wrong = [check for check in first if check.wrong]
        unresolved = [shorten(check.layer) for check in first if not (check.right or check.wrong)]
        metrics |= {"wrong_layers": float(len(wrong)), "unresolved_layers": float(len(unresolved))}
        if unresolved:
            report.append(
                f"not resolved in {self.dtypes[0]}, neither right nor wrong: {', '.join(unresolved)} (at this step "
                "rounding changes the loss as much as these parameters do)"
            )
        failure = None
        if wrong:
            broken = find_culprits(objective, inputs, first, seed=seed)
            failure = (
                f"the gradient check failed: the backward pass of {' and '.join(map(shorten, broken))} is wrong "
                f"({len(wrong)} of {len(first)} layers get wrong gradients, greatest error "
                f"{max(check.error for check in wrong):.2g})"
            )
        return Findings(rows, metrics, failure, report)

    def row(self, dtype: str, check: LayerCheck, twin: dict[str, bool]) -> Row:
        facts = asdict(check)
        layer = facts.pop("layer")
        return {
            "quantity": "layer", "dtype": dtype, "layer": shorten(layer), "verdict": facts.pop("verdict"),
            "step": self.step or STEPS[DTYPES[dtype]], "tolerance": self.tolerance or TOLERANCES[DTYPES[dtype]],
            "torch_gradcheck": "right" if twin[layer] else "wrong", **{k: finite_or_none(v) for k, v in facts.items()},
        }  # fmt: skip


def finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_check(check: LayerCheck) -> str:
    verdict = check.verdict.upper() if check.wrong else check.verdict
    return (
        f"  {shorten(check.layer):<28}{check.kind:<16}{check.count:>4} parameters   error {check.error:.1e}   "
        f"worst {check.max_error:.1e}   {verdict}"
    )


def error_by_step(
    objective: nn.Module,
    inputs: tuple[Any, ...],
    steps: list[float],
    dtype: torch.dtype,
    count: int,
    seed: int = 0,
) -> list[tuple[float, float]]:
    """`(ε, error over all layers' parameters together)`: truncation on the right, rounding on the left."""
    generator = torch.Generator().manual_seed(seed)
    curve = []
    with freeze(objective, inputs, dtype) as (model, args):
        parameters = dict(model.named_parameters())
        rows = find_used_rows(model, args)
        names = [name for layer in list_layers(model) for name in layer.parameters]
        exact = gradient(model(*args), [parameters[name] for name in names])
        gradients = dict(zip(names, exact, strict=True))
        entries: dict[str, Tensor] = {}
        for layer in list_layers(model):
            entries |= sample(layer, parameters, gradients, rows, count, generator)
        backprop = torch.cat([gradients[name].reshape(-1)[i] for name, i in entries.items()]).double()
        batched = True
        for step in steps:
            parts = []
            for name, index in entries.items():
                values, batched = central_differences(model, args, name, parameters[name], index, step, batched)
                parts.append(values)
            numeric = torch.cat(parts)
            curve.append((step, float((numeric - backprop).norm() / (numeric.norm() + backprop.norm() + 1e-12))))
    return curve


def torch_gradcheck(objective: nn.Module, inputs: tuple[Any, ...] = (), *, directions: int = 3) -> dict[str, bool]:
    """`torch.autograd.gradcheck`'s own verdict on every layer, in float64: an independent second opinion.

    It gets the loss as a function of `t (directions,)`, the layer's parameters being `θ + Σ t_i d_i` with
    random unit vectors `d_i`: a few evaluations per layer, where all parameters would take thousands.
    """
    generator = torch.Generator().manual_seed(0)
    verdicts = {}
    with freeze(objective, inputs, torch.float64) as (model, args):
        parameters = dict(model.named_parameters())
        for layer in list_layers(model):
            own = [parameters[name].detach() for name in layer.parameters]
            d = torch.randn(directions, sum(p.numel() for p in own), generator=generator, dtype=torch.float64)
            d = (d / d.norm(dim=1, keepdim=True)).to(own[0].device)

            def loss(t: Tensor, own: list[Tensor] = own, d: Tensor = d, layer: ParameterOwner = layer) -> Tensor:
                moves = (t @ d).split([p.numel() for p in own])
                moved = {n: p + m.view_as(p) for n, p, m in zip(layer.parameters, own, moves, strict=True)}
                result: Tensor = functional_call(model, moved, args)
                # A loss cut off from its inputs would be an error of the call, not a wrong gradient.
                return result + 0.0 * t.sum()

            t = torch.zeros(directions, dtype=torch.float64, device=d.device, requires_grad=True)
            verdicts[layer.name] = bool(
                torch.autograd.gradcheck(loss, [t], eps=1e-6, atol=1e-8, rtol=1e-4, raise_exception=False)
            )
    return verdicts
