"""The mean of the last epochs' weights, as the weights that are tested and kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from probeta.errors import check_whole_or_null


class WeightAverage(pl.Callback):
    """Keeps the weights of the last `last` epochs and puts their mean in place when training has ended.

    Checkpoint averaging (Vaswani et al. 2017, §6.1): w = (w₁ + … + wₙ) / n, of the n epochs before training
    ended, whichever validated best. With `last=None` it does nothing. The kept weights are in `last.ckpt`, so
    a resumed run averages the same epochs.
    """

    def __init__(self, last: int | None = None) -> None:
        self.last = check_whole_or_null("last", last, meaning="for no averaging")
        self.weights: deque[dict[str, Tensor]] = deque(maxlen=last or 0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.last is not None:
            self.weights.append({name: value.detach().clone() for name, value in pl_module.state_dict().items()})

    def apply(self, pl_module: pl.LightningModule) -> bool:
        """Load the mean into `pl_module`; False where there is nothing to average."""
        if not self.weights:
            return False
        pl_module.load_state_dict(mean(self.weights))
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"weights": list(self.weights)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.weights.extend(state_dict["weights"])


def mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of floating-point entries, summed in double precision; of others (counters), the last."""
    result = dict(states[-1])
    for name, value in result.items():
        if value.is_floating_point():
            total = torch.zeros_like(value, dtype=torch.float64)
            for state in states:
                total += state[name]
            result[name] = (total / len(states)).to(value.dtype)
    return result
