"""Backpropagation against central finite differences, parameter by parameter.

    g_num = (L(θ + ε e_i) - L(θ - ε e_i)) / 2ε
    error = ‖g_num - g_backprop‖ / (‖g_num‖ + ‖g_backprop‖ + 10⁻¹²)

over `count` random parameters of every layer. A layer is a module that owns parameters. The perturbed
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

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_map

from probeta.probes.setting import positive, whole

# Central differences err by ε²|L‴|/6 + u|L|/ε; with derivatives of order one the sum is least near ∛u.
STEPS = {torch.float32: 5e-3, torch.float64: 6e-6}
TOLERANCES = {torch.float32: 3e-2, torch.float64: 1e-5}
# How many units of rounding a loss may be off by, before a difference between the two gradients counts.
ROUNDINGS = 32
COPIES_BYTES = 64 << 20


@dataclass(frozen=True)
class LayerCheck:
    """What the check found in one layer."""

    layer: str
    kind: str
    """The module's class."""
    count: int
    error: float
    """The relative error of the module docstring, over all `count` parameters."""
    max_error: float
    """The greatest relative error of a single parameter whose gradient stands out of the rounding noise."""
    worst: str
    """Which parameter that is."""
    numeric: float
    backprop: float
    """Its two gradients."""
    noise: float
    """What rounding alone may add to a finite difference."""
    right: bool
    batched: bool


@dataclass(frozen=True)
class Layer:
    """A module that owns parameters, and the names that `functional_call` knows them by."""

    name: str
    module: nn.Module
    parameters: tuple[str, ...]


def layers(model: nn.Module) -> list[Layer]:
    """Every layer of `model`, in order of registration; a tied parameter belongs to its first owner."""
    owners: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            owners.setdefault(owner(name), []).append(name)
    return [Layer(name, model.get_submodule(name), tuple(own)) for name, own in owners.items()]


def owner(parameter: str) -> str:
    """The layer's name in a parameter's; a parametrized weight belongs to the module that it serves."""
    return (
        parameter.split(".parametrizations.")[0]
        if ".parametrizations." in parameter
        else parameter.rpartition(".")[0]
    )


@contextmanager
def frozen(objective: nn.Module, inputs: tuple[Any, ...], dtype: torch.dtype) -> Iterator[tuple[nn.Module, Any]]:
    """A copy of `objective` in eval mode and its `inputs`, both in `dtype`; the generators come back as they were."""

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

    `step` and `tolerance` default to what suits `dtype`. A layer is right if its error is below the
    tolerance, or its gradients differ by less than rounding may explain.

    Raises:
        ConfigError: `count` below 1, a step or tolerance that is not above 0.
    """
    whole("probe.count", count, 1)
    step = positive("probe.step", STEPS[dtype] if step is None else step)
    tolerance = positive("probe.tolerance", TOLERANCES[dtype] if tolerance is None else tolerance)
    generator = torch.Generator().manual_seed(seed)
    with frozen(objective, inputs, dtype) as (model, args):
        parameters = dict(model.named_parameters())
        names = [name for layer in layers(model) for name in layer.parameters]
        rows = used_rows(model, args)
        loss = model(*args)
        gradients = dict(zip(names, gradient(loss, [parameters[name] for name in names]), strict=True))
        noise = ROUNDINGS * torch.finfo(dtype).eps * max(abs(float(loss.detach())), 1e-30) / (2 * step)
        found = []
        for layer in layers(model):
            chosen = sample(layer, parameters, rows, count, generator)
            numeric, backprop, labels, together = [], [], [], batched
            for name, index in chosen.items():
                values, together = differences(model, args, name, parameters[name], index, step, together)
                numeric.append(values)
                backprop.append(gradients[name].reshape(-1)[index].double())
                labels += [f"{name}{unravel(int(i), parameters[name].shape)}" for i in index]
            found.append(
                _compare(layer, torch.cat(numeric), torch.cat(backprop), labels, noise, tolerance, together)
            )
    return found


def gradient(loss: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """∂loss/∂parameters, zeros where the loss does not depend on one."""
    if not loss.requires_grad:
        return [torch.zeros_like(p) for p in parameters]
    return list(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))


def _compare(
    layer: Layer,
    numeric: Tensor,
    backprop: Tensor,
    labels: list[str],
    noise: float,
    tolerance: float,
    batched: bool,
) -> LayerCheck:
    gap, scale = (numeric - backprop).abs(), numeric.abs() + backprop.abs()
    error = float(gap.norm() / (numeric.norm() + backprop.norm() + 1e-12))
    # A parameter whose gradient drowns in rounding says nothing about backpropagation.
    resolved = scale > noise / tolerance
    each = torch.where(resolved, gap / (scale + 1e-12), torch.zeros_like(gap))
    worst = int((each if resolved.any() else gap).argmax())
    explained = float(gap.norm()) <= noise * len(gap) ** 0.5
    return LayerCheck(
        layer.name, type(layer.module).__name__.removeprefix("Parametrized"), len(gap), error, float(each[worst]),
        labels[worst], float(numeric[worst]), float(backprop[worst]), noise,
        bool(torch.isfinite(gap).all()) and (error <= tolerance or explained), batched,
    )  # fmt: skip


def differences(
    model: nn.Module, args: tuple[Any, ...], name: str, value: Tensor, index: Tensor, step: float, batched: bool
) -> tuple[Tensor, bool]:
    """Central differences `(n,)` float64 of the loss in the entries `index (n,)` of the parameter `name`.

    The second result says whether copies were evaluated as a batch.
    """
    theta = value.detach()

    def loss(perturbed: Tensor) -> Tensor:
        result: Tensor = functional_call(model, {name: perturbed}, args)
        return result

    losses: list[Tensor] = []
    at_once = max(1, COPIES_BYTES // (2 * theta.numel() * theta.element_size()))
    with torch.no_grad():
        for part in index.split(at_once):
            n = len(part)
            copies = theta.repeat(2 * n, *[1] * theta.dim())
            flat = copies.view(2 * n, -1)
            flat[torch.arange(n), part] += step
            flat[torch.arange(n) + n, part] -= step
            if batched:
                try:
                    both = vmap(loss)(copies)
                except RuntimeError:
                    batched = False
            if not batched:
                both = torch.stack([loss(one) for one in copies])
            # What was added is not exactly `step` once rounded, least of all in float32.
            width = (flat[torch.arange(n), part] - flat[torch.arange(n) + n, part]).double()
            losses.append((both[:n].double() - both[n:].double()) / width)
    return torch.cat(losses), batched


def sample(
    layer: Layer, parameters: dict[str, Tensor], rows: dict[str, Tensor], count: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """`count` entries of the layer's parameters (all, if it has fewer): flat indices by parameter."""
    pools = []
    for name in layer.parameters:
        entries = torch.arange(parameters[name].numel()).view(parameters[name].shape)
        pools.append((entries[rows[name]] if name in rows else entries).reshape(-1))
    sizes = [len(pool) for pool in pools]
    drawn = torch.randperm(sum(sizes), generator=generator)[:count].sort().values
    chosen, start = {}, 0
    for name, pool, size in zip(layer.parameters, pools, sizes, strict=True):
        inside = drawn[(drawn >= start) & (drawn < start + size)] - start
        start += size
        if len(inside):
            chosen[name] = pool[inside]
    return chosen


def used_rows(model: nn.Module, args: tuple[Any, ...]) -> dict[str, Tensor]:
    """Rows of embedding tables that the batch reads: the gradient of any other is 0 and shows nothing."""
    seen: dict[str, list[Tensor]] = {}
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    def watch(module: nn.Module, call: tuple[Any, ...]) -> None:
        seen.setdefault(names.get(id(module.weight), ""), []).append(call[0].reshape(-1))

    handles = [m.register_forward_pre_hook(watch) for m in model.modules() if isinstance(m, nn.Embedding)]
    try:
        with torch.no_grad():
            model(*args)
    finally:
        for handle in handles:
            handle.remove()
    # A table tied to the output layer is read in full.
    tied = {name for name, _ in model.named_parameters(remove_duplicate=False)} - set(names.values())
    shared = {id(model.get_parameter(name)) for name in tied}
    return {
        name: torch.cat(ids).unique()
        for name, ids in seen.items()
        if name and id(model.get_parameter(name)) not in shared
    }


def unravel(index: int, shape: torch.Size) -> str:
    """`[row,column]` of a flat index."""
    place: list[int] = []
    for size in reversed(shape):
        index, rest = divmod(index, size)
        place.insert(0, rest)
    return f"[{','.join(map(str, place))}]"


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
    with frozen(objective, inputs, dtype) as (model, args):
        parameters = dict(model.named_parameters())
        rows = used_rows(model, args)
        chosen: dict[str, Tensor] = {}
        for layer in layers(model):
            chosen |= sample(layer, parameters, rows, count, generator)
        exact = gradient(model(*args), [parameters[name] for name in chosen])
        backprop = torch.cat([g.reshape(-1)[i] for g, i in zip(exact, chosen.values(), strict=True)]).double()
        batched = True
        for step in steps:
            parts = []
            for name, index in chosen.items():
                values, batched = differences(model, args, name, parameters[name], index, step, batched)
                parts.append(values)
            numeric = torch.cat(parts)
            curve.append((step, float((numeric - backprop).norm() / (numeric.norm() + backprop.norm() + 1e-12))))
    return curve


def torch_gradcheck(objective: nn.Module, inputs: tuple[Any, ...] = ()) -> dict[str, bool]:
    """`torch.autograd.gradcheck`'s own verdict on every layer, in float64 (its fast mode: random projections)."""
    verdicts = {}
    with frozen(objective, inputs, torch.float64) as (model, args):
        parameters = dict(model.named_parameters())
        for layer in layers(model):
            values = [parameters[name].detach().clone().requires_grad_(True) for name in layer.parameters]

            def loss(*own: Tensor, names: tuple[str, ...] = layer.parameters) -> Tensor:
                result: Tensor = functional_call(model, dict(zip(names, own, strict=True)), args)
                # A detached loss would be refused as an input error rather than compared.
                return result + 0.0 * sum(value.sum() for value in own)

            verdicts[layer.name] = bool(
                torch.autograd.gradcheck(
                    loss, values, eps=1e-6, atol=1e-9, rtol=1e-4, fast_mode=True, raise_exception=False
                )
            )
    return verdicts
