"""`callbacks.curvature` for all members at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from probeta.callbacks.curvature import Curvature
from probeta.config.build import make
from probeta.curvature.loss import StackedLoss, first_examples
from probeta.curvature.stability import find_stability
from probeta.data.datamodule import DataModule
from probeta.vectorized.invariant import Invariant
from probeta.vectorized.optimizers import StackedOptimizer
from probeta.vectorized.stack import Stack


class EnsembleCurvature:
    """What the callback measures, of the members in `stack`; nothing where `tree` has no such callback."""

    def __init__(self, tree: Mapping[str, Any], stack: Stack, optimizer: StackedOptimizer) -> None:
        wanted = (tree.get("callbacks") or {}).get("curvature")
        self.callback: Curvature | None = make(tree, "callbacks.curvature") if wanted else None
        self.stack, self.optimizer = stack, optimizer
        self.before: Tensor | None = None
        self.batches: dict[int, Any] = {}

    def observe(self, epoch: int) -> None:
        """The weights before a step of `epoch`, of whose steps the last is measured."""
        if self.callback is not None and self.callback.needs_step(epoch):
            self.before = torch.cat([p.flatten(1) for p in self.stack.parameters.values()], 1)

    def measure(self, epoch: int, data: Sequence[DataModule]) -> dict[str, Tensor]:
        """Name → `(K,)` at the end of `epoch`; nothing in most. `data`: each member's."""
        if self.callback is None or not self.callback.is_due(epoch):
            return {}
        for one in data:
            if id(one) not in self.batches:
                self.batches[id(one)] = first_examples(one, self.callback.examples)
        picked, own = [self.batches[id(one)] for one in data], any(one is not data[0] for one in data)
        columns = zip(*picked, strict=True) if own else ((t,) for t in picked[0])
        batch = type(picked[0])(*((torch.stack(c) if own else c[0]).to(self.stack.device) for c in columns))
        before, self.before = self.before, None
        with Invariant():
            loss = StackedLoss(self.stack.template, self.stack.parameters, self.stack.buffers)
            return self.callback.measure(loss, batch, find_stability(self.optimizer, stacked=True), before, own)
