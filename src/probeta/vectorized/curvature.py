"""`callbacks.curvature` for all members at once.

Unlike training it takes torch's own kernels, by which a member's last digits may follow from its place: invariant ones
take twice as long in small groups of members, and what is measured is known to a tolerance far above that.
"""

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
        self.stacked: tuple[list[int], Any] = ([], None)

    def observe(self, epoch: int) -> None:
        """The weights before a step of `epoch`, of whose steps the last is measured."""
        if self.callback is not None and self.callback.needs_step(epoch):
            self.before = torch.cat([p.flatten(1) for p in self.stack.parameters.values()], 1)

    def measure(self, epoch: int, data: Sequence[DataModule]) -> dict[str, Tensor]:
        """Name → `(K,)` at the end of `epoch`; nothing in most. `data`: each member's."""
        if self.callback is None or not self.callback.is_due(epoch):
            return {}
        before, self.before = self.before, None
        loss = StackedLoss(self.stack.template, self.stack.parameters, self.stack.buffers)
        own, stability = any(one is not data[0] for one in data), find_stability(self.optimizer, stacked=True)
        return self.callback.measure(loss, self.examples(data, own, self.callback.examples), stability, before, own)

    def examples(self, data: Sequence[DataModule], own: bool, count: int | None) -> Any:
        """The batch that is measured, with a first dimension K where members have their `own` data; made once."""
        members = [id(one) for one in data]
        if members != self.stacked[0]:
            for one in data:
                if id(one) not in self.batches:
                    self.batches[id(one)] = first_examples(one, count)
            picked = [self.batches[member] for member in members]
            columns = zip(*picked, strict=True) if own else ((t,) for t in picked[0])
            batch = type(picked[0])(*((torch.stack(c) if own else c[0]).to(self.stack.device) for c in columns))
            self.stacked = members, batch
        return self.stacked[1]
