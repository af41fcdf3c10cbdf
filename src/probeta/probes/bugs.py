"""Broken backward passes: put one into a layer, and find the layer again.

What a check of the whole model sees is every layer whose gradient flows through the broken one. To name
that one, each suspect is checked alone: its own inputs, as they arrive in the model, and a random
direction at its output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from probeta.errors import ConfigError
from probeta.probes.finite_differences import list_layers
from probeta.probes.layer_checks import LayerCheck, check_gradients, freeze

# Each keeps the value and changes the gradient alone, in operations that `vmap` knows.
BUGS: dict[str, Callable[[Tensor], Tensor]] = {
    "detach": lambda y: y.detach(),
    "sign": lambda y: 2 * y.detach() - y,
    "scale": lambda y: y.detach() + 1.5 * (y - y.detach()),
}


class Broken(nn.Module):
    """A parametrization that breaks a parameter's gradient and leaves its value."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, parameter: Tensor) -> Tensor:
        return BUGS[self.kind](parameter)


@contextmanager
def inject(objective: nn.Module, inputs: tuple[Any, ...], layer: str, kind: str) -> Iterator[None]:
    """Break the backward pass of `layer` while the context lasts.

    The gradient at the layer's output is cut (`detach`), turned around (`sign`) or half as large again
    (`scale`). A layer whose weights are read without calling it is broken at its own parameters.

    Raises:
        ConfigError: an unknown bug or layer.
    """
    if kind not in BUGS:
        raise ConfigError.unknown("probe.inject_bug", kind, BUGS)
    known = {layer.name: layer for layer in list_layers(objective)}
    if layer not in known:
        raise ConfigError.unknown("probe.bug_layer", layer, known)
    module = known[layer].module
    if layer in recorded_calls(objective, inputs, {layer}):

        def corrupt(_: nn.Module, __: Any, output: Any) -> Any:
            return tree_map(lambda y: BUGS[kind](y) if is_real(y) else y, output)

        handle = module.register_forward_hook(corrupt)
        try:
            yield
        finally:
            handle.remove()
        return
    own = [name.rpartition(".")[2] for name in known[layer].parameters]
    for name in own:
        parametrize.register_parametrization(module, name, Broken(kind))
    try:
        yield
    finally:
        for name in own:
            parametrize.remove_parametrizations(module, name, leave_parametrized=False)


def is_real(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def recorded_calls(
    objective: nn.Module, inputs: tuple[Any, ...], wanted: set[str]
) -> dict[str, tuple[tuple[Any, ...], dict[str, Any]]]:
    """The arguments with which each of the modules `wanted` is called first; absent: never called."""
    calls: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def record(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            detached = tree_map(lambda x: x.detach().clone() if isinstance(x, Tensor) else x, (args, kwargs))
            calls.setdefault(name, detached)

        return record

    handles = [
        module.register_forward_pre_hook(watch(name), with_kwargs=True)
        for name, module in objective.named_modules()
        if name in wanted
    ]
    training = {module: module.training for module in objective.modules()}
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            objective.eval()(*inputs)
    finally:
        for module, mode in training.items():
            module.training = mode
        for handle in handles:
            handle.remove()
    return calls


class Alone(nn.Module):
    """One layer as a problem of its own: `Σ v·f(x; θ)` with a random `v`, its inputs `x` as parameters too."""

    def __init__(self, module: nn.Module, call: tuple[tuple[Any, ...], dict[str, Any]], seed: int) -> None:
        super().__init__()
        self.module = module
        self.leaves, spec = tree_flatten(call)
        # A function is shared by copies of this module; a tree's specification does not like to be copied.
        self.rebuild: Callable[[list[Any]], Any] = lambda leaves: tree_unflatten(leaves, spec)
        self.inputs = nn.ParameterList([leaf for leaf in self.leaves if is_real(leaf)])
        self.seed = seed

    def forward(self) -> Tensor:
        real = iter(self.inputs)
        args, kwargs = self.rebuild([next(real) if is_real(x) else x for x in self.leaves])
        generator = torch.Generator().manual_seed(self.seed)
        total = torch.zeros(())
        for y in tree_flatten(self.module(*args, **kwargs))[0]:
            if is_real(y):
                # A unit vector, so that the loss and its rounding stay small whatever the layer's size.
                v = torch.randn(y.shape, generator=generator, dtype=torch.float64)
                total = total + (y * (v / v.norm()).to(y)).sum()
        return total


def find_culprits(
    objective: nn.Module, inputs: tuple[Any, ...], checks: list[LayerCheck], *, count: int = 20, seed: int = 0
) -> list[str]:
    """The layers whose own backward pass is wrong, out of those that failed in `checks`.

    Where no layer fails alone, the fault lies between layers: then those that failed and cannot be checked
    alone (their weights are read without calling them) are named, or else the last that failed.
    """
    failed = [check.layer for check in checks if check.wrong]
    with freeze(objective, inputs, torch.float64) as (model, args):
        every = [layer.name for layer in list_layers(model)]
        calls = recorded_calls(model, args, set(every))

        def wrong_alone(names: list[str]) -> list[str]:
            checks = {
                name: check_gradients(Alone(model.get_submodule(name), calls[name], seed), count=count, seed=seed)
                for name in names
                if name in calls
            }
            return [name for name, own in checks.items() if any(check.wrong for check in own)]

        # A layer that only passes on what is below it may be broken and have right gradients of its own.
        wrong = wrong_alone(failed) or wrong_alone([name for name in every if name not in failed])
    innermost = [name for name in wrong if not any(other.startswith(f"{name}.") for other in wrong)]
    return innermost or [name for name in failed if name not in calls] or failed[-1:]
