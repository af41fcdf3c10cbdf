"""Gradients at the outputs of any model's modules, by hooks: the model is neither changed nor wrapped.

A hook on a module's output gives the total derivative there, since every path to the loss leaves through
it. A recurrent layer is different: of its stacked outputs the next step reads nothing, so a hook sees the
direct part alone. Its per-step states are what the next step reads; they are watched one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.hooks import RemovableHandle

from probeta.nn.rnn import CellState, RecurrentLayer


@dataclass
class Recorded:
    """The nodes of one module, in order of computation, until they are differentiated."""

    outputs: list[Tensor] = field(default_factory=list)
    steps: list[Tensor] = field(default_factory=list)
    """The states `h_t` of a recurrent layer, whichever way it is stepped."""


class GradientRecorder:
    """Records `‖∂L/∂output‖₂` of every module that owns parameters.

    >>> with GradientRecorder(model) as recorder:
    ...     loss = objective(batch)
    >>> recorder.norms(loss)            # {"hidden.0.linear": 0.31, …}
    >>> recorder.step_norms(loss)       # {"encoder.cells.0": [0.02, 0.05, …], …}
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.watched = {
            name: module
            for name, module in model.named_modules()
            if name and next(module.parameters(recurse=False), None) is not None
        }
        self.recorded: dict[str, Recorded] = {}
        self._handles: list[RemovableHandle] = []
        self._stepped: list[RecurrentLayer] = []

    def __enter__(self) -> GradientRecorder:
        for name, module in self.watched.items():
            self._handles.append(module.register_forward_hook(self._watch(name)))
            if isinstance(module, RecurrentLayer):
                self._watch_steps(name, module)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        for layer in self._stepped:
            # The instance's own entry shadowed the method of its class.
            del layer.__dict__["step"]
        self._handles.clear()
        self._stepped.clear()

    def _watch(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(_: nn.Module, __: Any, output: Any) -> None:
            nodes = self.recorded.setdefault(name, Recorded())
            nodes.outputs += [y for y in tree_leaves(output) if isinstance(y, Tensor) and y.requires_grad][:1]

        return record

    def _watch_steps(self, name: str, layer: RecurrentLayer) -> None:
        step = layer.step

        def record(z: Tensor, state: CellState) -> CellState:
            new = step(z, state)
            self.recorded.setdefault(name, Recorded()).steps.append(new[0])
            return new

        layer.__dict__["step"] = record
        self._stepped.append(layer)

    def norms(self, loss: Tensor) -> dict[str, float]:
        """`‖∂L/∂output‖₂` over all of a module's calls; of a recurrent layer, over all its states."""
        return {
            name: float(torch.stack([g.double().norm() for g in gradients]).norm())
            for name, gradients in self._gradients(loss, lambda nodes: nodes.steps or nodes.outputs)
        }

    def step_norms(self, loss: Tensor) -> dict[str, list[float]]:
        """`‖∂L/∂h_t‖₂` of every recurrent layer, in order of computation: total derivatives."""
        return {
            name: [float(g.double().norm()) for g in gradients]
            for name, gradients in self._gradients(loss, lambda nodes: nodes.steps)
        }

    def _gradients(
        self, loss: Tensor, choose: Callable[[Recorded], list[Tensor]]
    ) -> Iterator[tuple[str, list[Tensor]]]:
        watched = {name: tensors for name, nodes in self.recorded.items() if (tensors := choose(nodes))}
        if not watched:
            return
        flat = [tensor for tensors in watched.values() for tensor in tensors]
        gradients = iter(torch.autograd.grad(loss, flat, retain_graph=True, allow_unused=True, materialize_grads=True))
        for name, tensors in watched.items():
            yield name, [next(gradients) for _ in tensors]
