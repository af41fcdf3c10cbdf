"""The ensemble's step as a function of tensors: run as written, or recorded once and replayed.

vmap, autograd and `functional_call` cost Python time at every operation, and these models are so small that it
is most of their time. A step's operations depend on nothing but shapes, so after a few steps they are recorded
as a graph of plain tensor operations, which is then called instead: the same kernels on the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from probeta.models.module import Sums
from probeta.vectorized.graph import compile_graph
from probeta.vectorized.invariant import Invariant
from probeta.vectorized.stack import Stack

Function = Callable[..., list[Tensor]]


class StepResult(NamedTuple):
    """The outcome of a training step, per member."""

    loss: Tensor
    """`(K,)` the mean that was differentiated."""
    sums: Sums
    """`(K,)` each."""
    grads: list[Tensor]
    """`(K, …)` in the order of the parameters."""


class Program:
    """Steps and evaluations of ensembles of one group, of any size and batch shape; `use` says whose tensors count.

    `patience` calls of one shape run unrecorded. Recording costs three to five of them, replaying saves more
    than half of one, so only rare shapes are never recorded.
    """

    def __init__(self, patience: int = 3) -> None:
        self.patience = patience
        self.seen: dict[Any, int] = {}
        self.recorded: dict[Any, Function] = {}
        self.names: dict[str, list[str]] = {}

    def use(self, stack: Stack) -> None:
        """Go on with `stack`, whose model is of the same configuration but for what differs between members."""
        self.stack = stack

    def train(
        self, params: list[Tensor], buffers: list[Tensor], batch: Any, forced: Tensor | None, shared: bool
    ) -> StepResult:
        """Loss, sums and gradients; batch statistics in `buffers` are updated in place."""
        loss, *rest = self._call("train", params, buffers, batch, forced, shared)
        split = len(rest) - len(params)
        return StepResult(loss, dict(zip(self.names["train"], rest[:split], strict=True)), rest[split:])

    def evaluate(self, params: list[Tensor], buffers: list[Tensor], batch: Any, shared: bool, thorough: bool) -> Sums:
        """Sums in evaluation mode."""
        kind = "thorough" if thorough else "eval"
        sums = self._call(kind, params, buffers, batch, None, shared)
        return dict(zip(self.names[kind], sums, strict=True))

    def _call(
        self, kind: str, params: list[Tensor], buffers: list[Tensor], batch: Any, forced: Tensor | None, shared: bool
    ) -> list[Tensor]:
        inputs = [*params, *buffers, *batch, *([] if forced is None else [forced])]
        key = (kind, shared, forced is None, len(params[0]), *(tuple(t.shape) for t in batch))
        if (graph := self.recorded.get(key)) is not None:
            with torch.no_grad():
                outputs: list[Tensor] = graph(*inputs)
            return outputs
        self.stack.template.train(kind == "train")
        function = self._function(kind, len(params), len(buffers), type(batch), len(batch), shared)
        self.seen[key] = self.seen.get(key, 0) + 1
        # Free-running decoding is data-dependent, so it cannot be traced.
        if self.seen[key] > self.patience and kind != "thorough" and forced is None:
            self.recorded[key] = compile_graph(function, inputs)
            return self._call(kind, params, buffers, batch, forced, shared)
        return function(*inputs)

    def _function(self, kind: str, params: int, buffers: int, batch_type: Any, fields: int, shared: bool) -> Function:
        def split(inputs: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor], Any, Tensor | None]:
            rest = inputs[params + buffers :]
            forced = rest[fields] if len(rest) > fields else None
            return list(inputs[:params]), list(inputs[params : params + buffers]), batch_type(*rest[:fields]), forced

        def train(*inputs: Tensor) -> list[Tensor]:
            p, b, batch, forced = split(inputs)
            with torch.enable_grad(), Invariant():
                leaves = [t.detach().requires_grad_() for t in p]
                measured = self.stack.measure(leaves, b, batch, forced, shared)
                loss = measured.objective / measured.weight
                grads = torch.autograd.grad(loss.sum(), leaves)
            self.names[kind] = list(measured.sums)
            return [loss.detach(), *measured.sums.values(), *grads]

        def evaluate(*inputs: Tensor) -> list[Tensor]:
            p, b, batch, _ = split(inputs)
            with torch.no_grad(), Invariant():
                measured = self.stack.measure(p, b, batch, None, shared, thorough=kind == "thorough")
            self.names[kind] = list(measured.sums)
            return list(measured.sums.values())

        return train if kind == "train" else evaluate
