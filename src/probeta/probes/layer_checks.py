"""Backpropagation against central finite differences, parameter by parameter.

    g_num = (L(θ + ε e_i) - L(θ - ε e_i)) / 2ε
    error = ‖g_num - g_backprop‖ / (‖g_num‖ + ‖g_backprop‖ + 10⁻¹²)

over `count` random parameters of every layer, but for those of which a difference says nothing: on a kink (a ReLU
whose input is exactly 0), or drowned in rounding. A layer is a module that owns parameters. The perturbed
copies of a parameter are evaluated as a batch (`torch.func.vmap`), where layers below the perturbed one
are computed once for all; a model that cannot be batched is evaluated one copy at a time.

The model is checked on a copy, in evaluation mode (no dropout, batch norm with its running statistics):
modes, buffers and random states of the original stay as they were.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from probeta.errors import check_whole
from probeta.probes.finite_differences import (
    ParameterOwner,
    central_differences,
    find_used_rows,
    list_layers,
    sample,
    slope_jumps,
)
from probeta.probes.setting import check_positive

# Central differences err by ε²|L‴|/6 + u|L|/ε; with derivatives of order one the sum is least near ∛u.
STEPS = {torch.float32: 5e-3, torch.float64: 6e-6}
TOLERANCES = {torch.float32: 3e-2, torch.float64: 1e-5}
# How many units of rounding a loss may be off by, before a difference between the two gradients counts.
ROUNDINGS = 32
RIGHT, WRONG, UNRESOLVED = "right", "wrong", "not resolved"
# A step that crosses the kink of a ReLU measures neither slope; a smaller one passes it by.
SMALLER = (0.1, 0.01)
MOST_KINKS = 0.5


@dataclass(frozen=True)
class LayerCheck:
    """The two gradients of one layer, and whether they agree."""

    layer: str
    kind: str
    """The module's class."""
    count: int
    error: float
    """The relative error of the module docstring."""
    max_error: float
    """The greatest relative error of a single parameter whose gradient stands out of the rounding noise."""
    worst: str
    """Which parameter that is."""
    numeric: float
    backprop: float
    """Its two gradients."""
    noise: float
    """What rounding alone may add to a finite difference."""
    retried: int
    """Parameters that agree only at a smaller step: the first one crossed a kink."""
    verdict: str
    """`right`, `wrong`, or `not resolved`: rounding may explain all of the difference, or hide a wrong gradient."""
    batched: bool

    @property
    def right(self) -> bool:
        return self.verdict == RIGHT

    @property
    def wrong(self) -> bool:
        return self.verdict == WRONG


@contextmanager
def freeze(objective: nn.Module, inputs: tuple[Any, ...], dtype: torch.dtype) -> Iterator[tuple[nn.Module, Any]]:
    """A copy of `objective` in eval mode and its `inputs`, both in `dtype`; no generator moves on."""

    def cast(x: Any) -> Any:
        return x.detach().to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x

    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if torch.cuda.is_available() else []):
        yield copy.deepcopy(objective).to(dtype).eval(), tree_map(cast, inputs)


def check_gradients(
    objective: nn.Module,
    inputs: tuple[Any, ...] = (),
    *,
    count: int = 50,
    dtype: torch.dtype = torch.float64,
    step: float | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    batched: bool = True,
) -> list[LayerCheck]:
    """Check `count` random parameters of every layer of `objective`, whose `forward(*inputs)` is a scalar loss.

    `step` and `tolerance` default to what suits `dtype`. A layer is right if its error is within the tolerance; if it
    is not, it is wrong, or not resolved where rounding may explain as much.

    Raises:
        ConfigError: `count` below 1, a step or tolerance that is not above 0.
    """
    check_whole("probe.count", count)
    step = check_positive("probe.step", STEPS[dtype] if step is None else step)
    tolerance = check_positive("probe.tolerance", TOLERANCES[dtype] if tolerance is None else tolerance)
    generator = torch.Generator().manual_seed(seed)
    with freeze(objective, inputs, dtype) as (model, args):
        parameters = dict(model.named_parameters())
        checked = list_layers(model)
        names = [name for layer in checked for name in layer.parameters]
        rows = find_used_rows(model, args)
        loss = model(*args)
        gradients = dict(zip(names, gradient(loss, [parameters[name] for name in names]), strict=True))
        noise = ROUNDINGS * torch.finfo(dtype).eps * max(abs(float(loss.detach())), 1e-30) / (2 * step)
        checks = []
        for layer in checked:
            parts: list[_Part] = []
            for name, index in sample(layer, parameters, gradients, rows, count, generator).items():
                exact = gradients[name].reshape(-1)[index].double()
                part = _part(model, args, name, parameters[name], index, exact, step, noise, tolerance, batched)
                parts.append(part)
            checks.append(_compare(layer, parts, noise, tolerance))
    return checks


@dataclass(frozen=True)
class _Part:
    """One parameter's share of a layer's check: `(n,)` each."""

    numeric: Tensor
    backprop: Tensor
    retried: Tensor
    silent: Tensor
    """Where a difference says nothing of the gradient."""
    labels: list[str]
    batched: bool


def _part(
    model: nn.Module,
    args: tuple[Any, ...],
    name: str,
    value: Tensor,
    index: Tensor,
    exact: Tensor,
    step: float,
    noise: float,
    tolerance: float,
    batched: bool,
) -> _Part:
    """Differences in the entries `index`; where they disagree, again at smaller steps: a wrong gradient stays so."""

    def close(numeric: Tensor, backprop: Tensor, noise: float = 0.0) -> Tensor:
        return (numeric - backprop).abs() <= tolerance * (numeric.abs() + backprop.abs()) + noise

    numeric, batched = central_differences(model, args, name, value, index, step, batched)
    retried = torch.zeros(len(index), dtype=torch.bool, device=numeric.device)
    silent = ~numeric.isfinite()
    for factor in SMALLER:
        far = ~close(numeric, exact, noise) & ~silent
        # A kink meets a few parameters; where most are off, the gradient is wrong and no smaller step will help.
        if not far.any() or far.sum() > max(MOST_KINKS * len(far), 3):
            break
        again, batched = central_differences(model, args, name, value, index[far], step * factor, batched)
        agrees = close(again, exact[far])
        # The smaller the step, the more is drowned: what agrees only for that reason is no evidence.
        silent[far] = ~agrees & ~(again - exact[far]).abs().gt(noise / factor)
        retried[far] = agrees
        numeric[far] = torch.where(agrees, again, numeric[far])
    far = ~close(numeric, exact, noise) & ~silent
    if far.any():
        wide, near = (
            slope_jumps(model, args, name, value, index[far], step * factor, batched).abs() for factor in (1.0, 0.1)
        )
        silent[far] = (near > 0.5 * wide) & (near > 4 * noise / 0.1) & (near > tolerance * exact[far].abs())
    labels = [f"{name}[{','.join(map(str, np.unravel_index(int(i), value.shape)))}]" for i in index]
    return _Part(numeric, exact, retried, silent, labels, batched)


def gradient(loss: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """∂loss/∂parameters, zeros where the loss does not depend on one."""
    if not loss.requires_grad:
        return [torch.zeros_like(p) for p in parameters]
    return list(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))


def _compare(layer: ParameterOwner, parts: list[_Part], noise: float, tolerance: float) -> LayerCheck:
    heard = ~torch.cat([p.silent for p in parts])
    numeric, backprop = torch.cat([p.numeric for p in parts]), torch.cat([p.backprop for p in parts])
    gap, scale = (numeric - backprop).abs(), numeric.abs() + backprop.abs()
    error = float(gap[heard].norm() / (numeric[heard].norm() + backprop[heard].norm() + 1e-12))
    # A parameter whose gradient drowns in rounding says nothing about backpropagation.
    resolved = heard & (scale > noise / tolerance)
    each = torch.where(resolved, gap / (scale + 1e-12), torch.zeros_like(gap))
    worst = int((each if resolved.any() else gap.where(heard, torch.zeros_like(gap))).argmax())
    if not torch.isfinite(backprop).all():
        verdict = WRONG
    elif not heard.any() or (tolerance < error and float(gap[heard].norm()) <= noise * int(heard.sum()) ** 0.5):
        verdict = UNRESOLVED
    else:
        verdict = RIGHT if error <= tolerance else WRONG
    return LayerCheck(
        layer=layer.name,
        kind=type(layer.module).__name__.removeprefix("Parametrized"),
        count=len(gap),
        error=error,
        max_error=float(each[worst]),
        worst=[label for part in parts for label in part.labels][worst],
        numeric=float(numeric[worst]),
        backprop=float(backprop[worst]),
        noise=noise,
        retried=int(sum(part.retried.sum() for part in parts)),
        verdict=verdict,
        batched=all(part.batched for part in parts),
    )


def shorten(layer: str) -> str:
    """`model.net.output` → `output`; a function's own parameter has no layer's name."""
    return layer.removeprefix("model.").removeprefix("net.") or "function"
