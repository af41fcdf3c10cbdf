"""How far the members of an ensemble are, told now and then between two steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from probeta.vectorized.job import Job
from probeta.vectorized.loop import Ensemble

SECONDS = 0.5

MemberState = tuple[Job, float, dict[str, float]]
"""A job that is trained, its epochs done, and its metrics in the last one."""

Tell = Callable[[Sequence[MemberState]], None]


@dataclass
class ProgressTeller:
    """Called between the steps of `ensemble`: calls `check`, and twice a second `tell`."""

    jobs: Sequence[Job]
    ensemble: Ensemble
    tell: Tell
    check: Callable[[], None]
    due: float = 0.0

    def __call__(self) -> None:
        self.check()
        if (now := time.monotonic()) < self.due:
            return
        self.due = now + SECONDS
        self.tell([self.read_state(k) for k in range(len(self.jobs))])

    def read_state(self, k: int) -> MemberState:
        """Of member `k`; whoever has stopped has no epoch left."""
        ensemble, book = self.ensemble, self.ensemble.bookkeeping
        if not book.training[k]:
            return self.jobs[k], float(ensemble.max_epochs), {}
        slot = book.slots.index(k)
        values = {name: float(v[slot]) for name, v in book.latest.items()}
        return self.jobs[k], ensemble.steps / len(ensemble.batches), values
