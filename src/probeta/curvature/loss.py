"""The losses of K nets as functions of their parameters, and what second derivatives do to vectors.

Everything that is measured of a net's curvature stands on two classes: `StackedLoss` has the parameters of K nets of
one shape as `flat (K, P)`, and `Point` is their losses there, with products by the Hessian H = ∂²L/∂θ² (Pearlmutter
1994) and by the Gauss–Newton matrix G = Jᵀ (∂²L/∂z²) J, where J = ∂z/∂θ of the outputs z (Schraudolph 2002). A product
is reverse over reverse, which every net of this project can be differentiated by: forward over reverse
(`torch.func.hessian`) is wrong for layer norm in torch 2.13.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_leaves, tree_map

from probeta.data.batches import Batches
from probeta.errors import ConfigError
from probeta.models.module import Measured, Module
from probeta.nn.cpu import set_enabled

TOGETHER = 3000
"""Examples of all nets that are worked on at once: more of them no longer stay in a CPU's cache."""


class Point:
    """The losses of n nets at `flat (n, P)`; the graph is kept, so that each product costs one more way back."""

    def __init__(self, flat: Tensor, outputs: Tensor | None, measured: Measured) -> None:
        self.flat, self.outputs = flat, outputs
        self.objective = measured.objective
        """`(n,)` sums over examples (or tokens)."""
        self.weight = measured.weight
        """`(n,)` what the sums are divided by."""
        self.loss = measured.objective / measured.weight
        """`(n,)`"""

    @cached_property
    def gradient(self) -> Tensor:
        """`(n, P)` ∂L/∂θ, itself differentiable."""
        return self._back(self.loss.sum(), self.flat, create_graph=True)

    def hessian(self, v: Tensor) -> Tensor:
        """`(n, P)` → `(n, P)`: H v, the gradient of gᵀ v."""
        return self._back(self.gradient, self.flat, v)

    def gauss_newton(self, v: Tensor) -> Tensor:
        """`(n, P)` → `(n, P)`: G v = Jᵀ (∂²L/∂z²) J v. Raises `ConfigError` for a model without `outputs`."""
        weights, pulled, slope = self._outputs
        moved = self._back(pulled, weights, v)  # J v: Jᵀ u is linear in u, and J v its gradient there
        assert self.outputs is not None
        return self._back(self.outputs, self.flat, self._back(slope, self.outputs, moved))

    @cached_property
    def _outputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """u, Jᵀ u `(n, P)` and ∂L/∂z."""
        if self.outputs is None:
            raise ConfigError("the model has no outputs to take a Gauss–Newton matrix by (Module.outputs)")
        u = torch.zeros_like(self.outputs, requires_grad=True)
        pulled = self._back(self.outputs, self.flat, u, create_graph=True)
        return u, pulled, self._back(self.loss.sum(), self.outputs, create_graph=True)

    @staticmethod
    def _back(of: Tensor, at: Tensor, v: Tensor | None = None, create_graph: bool = False) -> Tensor:
        if not of.requires_grad:
            return torch.zeros_like(at)
        [found] = torch.autograd.grad(
            of, at, v, retain_graph=True, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
        return found


class JoinedPoints(Point):
    """The losses of groups of nets as those of all: products are made group by group."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = points
        self.flat, self.objective, self.weight, self.loss = (
            torch.cat([getattr(point, name) for point in points]) for name in ("flat", "objective", "weight", "loss")
        )

    @cached_property
    def gradient(self) -> Tensor:
        return torch.cat([point.gradient for point in self.points])

    def hessian(self, v: Tensor) -> Tensor:
        return torch.cat([point.hessian(part) for point, part in self._split(v)])

    def gauss_newton(self, v: Tensor) -> Tensor:
        return torch.cat([point.gauss_newton(part) for point, part in self._split(v)])

    def _split(self, v: Tensor) -> Iterator[tuple[Point, Tensor]]:
        return zip(self.points, v.split([len(point.flat) for point in self.points]), strict=True)


class _Parts(nn.Module):
    """The two halves of a model's `measure` as the forward of a module, of which `functional_call` swaps tensors."""

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.model = model
        self.split = type(model).outputs is not Module.outputs

    def forward(self, batch: Any, outputs: Tensor | None) -> Any:
        if self.split and outputs is None:
            return self.model.outputs(batch)
        measured = self.model.measure(batch) if outputs is None else self.model.measure_outputs(outputs, batch)
        return measured.objective, measured.weight.to(measured.objective.dtype)


class StackedLoss:
    """The training losses of K models of one shape, without dropout, as a function of their trained parameters.

    Args:
        template: the model that computes; its own tensors stay as they are, and so does its mode.
        parameters: `(K, …)` each, by name.
        buffers: `(K, …)` each, by name; batch statistics in them are read, and never written.
        dtype: number format to compute in; `None`: the parameters' own.
    """

    def __init__(
        self,
        template: Module,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        dtype: torch.dtype | None = None,
    ) -> None:
        self.template, self.dtype = template, dtype
        trained = {name for name, p in template.named_parameters() if p.requires_grad}
        moved = {name: self._cast(p.detach()) for name, p in parameters.items()}
        self.names = [name for name in moved if name in trained]
        self.shapes = [moved[name].shape[1:] for name in self.names]
        self.flat = torch.cat([moved[name].flatten(1) for name in self.names], 1)
        """`(K, P)`"""
        held = {n: p for n, p in moved.items() if n not in trained} | dict(buffers)
        self.held = {f"model.{name}": self._cast(t.detach()) for name, t in held.items()}
        self._parts = _Parts(template)

    @classmethod
    def of(cls, models: Sequence[Module], dtype: torch.dtype | None = None) -> StackedLoss:
        """Those of `models`, where they stand."""

        def stack(tensors: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
            return {name: torch.stack([t[name].detach() for t in tensors]) for name in tensors[0]}

        parameters = stack([dict(m.named_parameters()) for m in models])
        return cls(models[0], parameters, stack([dict(m.named_buffers()) for m in models]), dtype)

    def __len__(self) -> int:
        return len(self.flat)

    @property
    def size(self) -> int:
        """P"""
        return self.flat.shape[1]

    @property
    def has_outputs(self) -> bool:
        """Whether there is a Gauss–Newton matrix."""
        return self._parts.split

    def at(
        self,
        batch: Any,
        flat: Tensor | None = None,
        *,
        own: bool = False,
        members: Tensor | None = None,
        statistics: bool = True,
        graph: bool = True,
    ) -> Point:
        """The losses on `batch` of the nets with the parameters `flat`.

        Args:
            batch: as the model measures it; with a first dimension n where each net has its `own`.
            flat: `(n, P)`; `None`: where the K nets stand.
            members: `(n,)` the net of each row, of which its buffers are taken; `None`: n = K, in their order.
            statistics: whether batch norm takes those of `batch`, as training does, or its running ones.
            graph: whether derivatives are wanted too, and not the losses alone.
        """
        flat = (self.flat if flat is None else flat).detach()
        group = max(1, TOGETHER // tree_leaves(batch)[0].shape[int(own)])
        if members is None and len(flat) > group:
            parts = []
            for rows in torch.arange(len(flat), device=flat.device).split(group):
                mine = tree_map(lambda x, rows=rows: x[rows], batch) if own else batch
                parts.append(self.at(mine, flat[rows], own=own, members=rows, statistics=statistics, graph=graph))
            return JoinedPoints(parts)
        flat = flat.requires_grad_(graph)
        batch = tree_map(lambda x: self._cast(x) if torch.is_tensor(x) else x, batch)
        # Batch norm writes into its buffers: into copies.
        held = {n: b.clone() if members is None else b.index_select(0, members) for n, b in self.held.items()}
        dims: Any = 0 if own else None

        def call(outputs: Tensor | None) -> Any:
            def one(row: Tensor, held: dict[str, Tensor], batch: Any, outputs: Tensor | None) -> Any:
                return functional_call(self._parts, self._name(row) | held, (batch, outputs))

            over = (0, 0, dims, None if outputs is None else 0)
            return self._map(one, over)(flat, held, batch, outputs)

        with torch.set_grad_enabled(graph), set_enabled(False), measuring(self.template, statistics):
            outputs = call(None) if self.has_outputs else None
            objective, weight = call(outputs)
        return Point(flat, outputs, Measured(objective, weight, {}))

    def _name(self, row: Tensor) -> dict[str, Tensor]:
        parts = row.split([shape.numel() for shape in self.shapes])
        named = {n: p.reshape(s) for n, p, s in zip(self.names, parts, self.shapes, strict=True)}
        return {f"model.{name}": p for name, p in named.items()}

    def _map(self, one: Callable[..., Any], dims: tuple[Any, ...]) -> Callable[..., Any]:
        """`one` for all rows: as one batch dimension, or in a loop for one row and for nets that cannot be batched."""
        if len(self.flat) > 1 and self.template.stacks:
            return vmap(one, in_dims=dims)

        def loop(flat: Tensor, held: dict[str, Tensor], batch: Any, outputs: Tensor | None) -> Any:
            rows = []
            for i in range(len(flat)):
                mine = tree_map(lambda x, i=i: x[i], batch) if dims[2] == 0 else batch
                own = {name: b[i] for name, b in held.items()}
                rows.append(one(flat[i], own, mine, None if outputs is None else outputs[i]))
            if isinstance(rows[0], Tensor):
                return torch.stack(rows)
            return tuple(torch.stack(column) for column in zip(*rows, strict=True))

        return loop

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(self.dtype) if self.dtype is not None and x.is_floating_point() else x


@contextmanager
def measuring(model: Module, statistics: bool) -> Iterator[None]:
    """Inside, `model` computes the loss that training descends (label smoothing and all), without dropout; batch norm
    takes the `statistics` of the batch, or its running ones. Afterwards its mode is as before.
    """
    modes = [(module, module.training) for module in model.modules()]
    for module, _ in modes:
        batch_norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        module.training = statistics if batch_norm else module is model
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def first_examples(data: Any, examples: int | None) -> Any:
    """The first `examples` of the training data (`None`: all) as one batch, in an order that no run's seed changes."""
    import numpy as np

    loader: Batches[Any] = data.batches("train", shuffle_seed=0)
    rows = [np.arange(r.start, r.stop) if isinstance(r, slice) else np.asarray(r) for r in loader.plan(0)]
    return loader.collate(np.concatenate(rows)[:examples])


def flatten_trained(model: nn.Module) -> Tensor:
    """`(P,)` the trained parameters, in their order."""
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])
