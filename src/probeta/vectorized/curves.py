"""The curves of many members: a few arrays per epoch while they train, and afterwards rows as single runs log them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

Row = dict[str, float]


@dataclass
class Epoch:
    """The metrics of one epoch, for the members that were still training."""

    number: int
    step: int
    members: Sequence[int]
    values: Mapping[str, np.ndarray]
    """Name → `(K,)`, in the order in which a single run logs them."""


@dataclass
class Curves:
    epochs: list[Epoch] = field(default_factory=list)
    earlier: dict[int, list[tuple[int, Row]]] = field(default_factory=dict)
    """Member → its rows of the epochs before these, where it goes on from a checkpoint."""

    def rows(self, ends: Mapping[int, int]) -> dict[int, list[tuple[int, Row]]]:
        """Member → its rows `(step, row)` up to (without) the epoch `ends[member]`."""
        rows = {member: list(self.earlier.get(member, [])) for member in ends}
        for epoch in self.epochs:
            names = ["epoch", *epoch.values]
            columns = [values.tolist() for values in epoch.values.values()]
            for member, *values in zip(epoch.members, *columns, strict=True):
                if epoch.number < ends[member]:
                    rows[member].append((epoch.step, dict(zip(names, [float(epoch.number), *values], strict=True))))
        return rows


def to_arrays(metrics: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Tensors `(K,)` as arrays of double precision, with one transfer from the device."""
    if not metrics:
        return {}
    stacked = torch.stack([value.double() for value in metrics.values()])
    return dict(zip(metrics, stacked.cpu().numpy(), strict=True))
