"""Central differences of a loss in chosen parameters of a model, many perturbed copies at once.

    ∂L/∂θ_i ≈ (L(θ + ε e_i) - L(θ - ε e_i)) / 2ε

Copies of one parameter are a batch for `torch.func.vmap`: what lies below it is computed once for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

COPIES_BYTES = 64 << 20


@dataclass(frozen=True)
class ParameterOwner:
    """A module that owns parameters, and the names that `functional_call` knows them by."""

    name: str
    module: nn.Module
    parameters: tuple[str, ...]


def list_layers(model: nn.Module) -> list[ParameterOwner]:
    """Every layer of `model`, in order of registration; a tied parameter belongs to its first owner."""
    owners: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            owners.setdefault(owner(name), []).append(name)
    return [ParameterOwner(name, model.get_submodule(name), tuple(own)) for name, own in owners.items()]


def owner(parameter: str) -> str:
    """The layer's name in a parameter's; a parametrized weight belongs to the module that it serves."""
    return (
        parameter.split(".parametrizations.")[0] if ".parametrizations." in parameter else parameter.rpartition(".")[0]
    )


def losses_around(
    model: nn.Module, args: tuple[Any, ...], name: str, value: Tensor, index: Tensor, step: float, batched: bool
) -> tuple[Tensor, Tensor, Tensor, bool]:
    """`(n,)` float64 each: the loss above and below in the entries `index (n,)` of `name`, and how far apart they are.

    The last result says whether copies were evaluated as a batch.
    """
    theta = value.detach()

    def loss(perturbed: Tensor) -> Tensor:
        result: Tensor = functional_call(model, {name: perturbed}, args)
        return result

    found: list[tuple[Tensor, Tensor, Tensor]] = []
    at_once = max(1, COPIES_BYTES // (2 * theta.numel() * theta.element_size()))
    with torch.no_grad():
        for part in torch.split(index, at_once):
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
            found.append((both[:n].double(), both[n:].double(), width))
    above, below, width = (torch.cat(parts) for parts in zip(*found, strict=True))
    return above, below, width, batched


def central_differences(
    model: nn.Module, args: tuple[Any, ...], name: str, value: Tensor, index: Tensor, step: float, batched: bool
) -> tuple[Tensor, bool]:
    """Central differences `(n,)` float64 of the loss in the entries `index (n,)` of the parameter `name`.

    NaN where the step is lost in rounding. The second result says whether copies were evaluated as a batch.
    """
    above, below, width, batched = losses_around(model, args, name, value, index, step, batched)
    return (above - below) / width, batched


def slope_jumps(
    model: nn.Module, args: tuple[Any, ...], name: str, value: Tensor, index: Tensor, step: float, batched: bool
) -> Tensor:
    """`(n,)`: the slope above minus the slope below, which goes to 0 with the step except on a kink."""
    above, below, width, _ = losses_around(model, args, name, value, index, step, batched)
    with torch.no_grad():
        here = model(*args).double()
    return (above + below - 2 * here) / (width / 2)


def sample(
    layer: ParameterOwner,
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    rows: Mapping[str, Tensor],
    count: int,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """`count` random entries of the layer's parameters (all, if it has fewer): flat indices by parameter.

    Half of them where backpropagation found a gradient, as far as there is one: of a large table a batch
    may read only a few rows. The others come from everywhere, for it may have missed some.
    """
    pools, nonzero = [], []
    for name in layer.parameters:
        entries = torch.arange(parameters[name].numel()).view(parameters[name].shape)
        pools.append((entries[rows[name].cpu()] if name in rows else entries).reshape(-1))
        nonzero.append(gradients[name].reshape(-1).cpu()[pools[-1]] != 0)
    sizes = [len(pool) for pool in pools]
    order = torch.randperm(sum(sizes), generator=generator)
    first = order[torch.cat(nonzero)[order]][: count // 2]
    others = order[~torch.isin(order, first)][: count - len(first)]
    drawn = torch.cat([first, others]).sort().values
    chosen, start = {}, 0
    for name, pool, size in zip(layer.parameters, pools, sizes, strict=True):
        inside = drawn[(drawn >= start) & (drawn < start + size)] - start
        start += size
        if len(inside):
            chosen[name] = pool[inside]
    return chosen


def find_used_rows(model: nn.Module, args: tuple[Any, ...]) -> dict[str, Tensor]:
    """Rows of embedding tables that the batch reads (padding apart): any other gradient is 0 and shows nothing."""
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    if not tables:
        return {}
    seen: dict[str, list[Tensor]] = {}
    names = {id(parameter): name for name, parameter in model.named_parameters()}

    def watch(module: nn.Module, call: tuple[Any, ...]) -> None:
        ids = call[0].reshape(-1)
        # Torch gives the padding row no gradient, by design: it is not to be learned.
        kept = ids if module.padding_idx is None else ids[ids != module.padding_idx]
        seen.setdefault(names.get(id(module.weight), ""), []).append(kept)

    handles = [table.register_forward_pre_hook(watch) for table in tables]
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
        name: torch.unique(torch.cat(ids))
        for name, ids in seen.items()
        if name and id(model.get_parameter(name)) not in shared
    }
