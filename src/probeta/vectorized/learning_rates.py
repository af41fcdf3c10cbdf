"""Each member's learning rate at every step, from the very schedulers that single runs use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from probeta.models.module import SchedulerFactory


def make_scheduler(factory: SchedulerFactory | None, lr: float, steps: int, epochs: int) -> LRScheduler | None:
    """A scheduler over a dummy parameter: only its learning rate is read."""
    if factory is None:
        return None
    dummy = torch.nn.Parameter(torch.zeros(1))
    dummy.grad = torch.zeros(1)
    optimizer = torch.optim.SGD([dummy], lr=lr)
    scheduler = factory(optimizer, total_steps=steps, total_epochs=epochs)
    optimizer.step()  # or torch warns that the schedule was ahead of it
    return scheduler


def tabulate(scheduler: LRScheduler, epochs: int, batches: int) -> list[float]:
    """The rate of every step of a run, for a schedule that depends on the step alone."""
    by_step = scheduler.interval == "step"  # type: ignore[attr-defined]
    rates = []
    for step in range(epochs * batches):
        rates.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        if by_step or (step + 1) % batches == 0:
            scheduler.step()
    return rates


class LearningRates:
    """`at(step)`: the learning rates `(K,)` of a step as floats, or `None` where they are those of the step before.

    `nodes` (learning rate and scheduler's configuration) tell schedules apart, so that equal ones are computed once.
    """

    def __init__(
        self,
        nodes: Sequence[tuple[float, Mapping[str, Any] | None]],
        factories: Sequence[SchedulerFactory | None],
        epochs: int,
        batches: int,
    ) -> None:
        self.current = [lr for lr, _ in nodes]
        self.tables: list[list[float] | None] = []
        self.plateaus: dict[int, ReduceLROnPlateau] = {}
        known: dict[str, list[float]] = {}
        for k, ((lr, node), factory) in enumerate(zip(nodes, factories, strict=True)):
            scheduler = None
            key = json.dumps([lr, node], sort_keys=True, default=str)
            if factory is not None and key not in known:
                scheduler = make_scheduler(factory, lr, epochs * batches, epochs)
            if isinstance(scheduler, ReduceLROnPlateau):
                self.plateaus[k] = scheduler
            elif scheduler is not None:
                known[key] = tabulate(scheduler, epochs, batches)
            self.tables.append(known.get(key))
        self.fresh = True
        self.constant = all(t is None for t in self.tables)

    def at(self, step: int) -> list[float] | None:
        if not self.constant:
            rates = [r if t is None else t[step] for r, t in zip(self.current, self.tables, strict=True)]
            self.fresh = self.fresh or rates != self.current
            self.current = rates
        fresh, self.fresh = self.fresh, False
        return self.current if fresh else None

    def observe(self, k: int, metrics: Mapping[str, float]) -> None:
        """Pass the epoch's metrics to member `k`'s plateau schedule, if it has one."""
        if (plateau := self.plateaus.get(k)) is None:
            return
        if (value := metrics.get(plateau.monitor)) is None:  # type: ignore[attr-defined]
            return
        plateau.step(value)
        rate = float(plateau.optimizer.param_groups[0]["lr"])
        if rate != self.current[k]:
            self.current[k] = rate
            self.fresh = True

    def rows(self, rows: Sequence[int]) -> None:
        """Go on with the members `rows`."""
        self.current = [self.current[k] for k in rows]
        self.tables = [self.tables[k] for k in rows]
        self.plateaus = {new: self.plateaus[k] for new, k in enumerate(rows) if k in self.plateaus}
        self.constant = all(t is None for t in self.tables)
