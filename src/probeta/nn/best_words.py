"""The most probable words of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probeta.nn.cpu import enabled
from probeta.nn.cpu.best_places import best_places


def best_words(logits: Tensor, count: int, never: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Of `logits (N, V)` the `count` most probable ids that are not in `never`: log p and ids, `(N, count)` each.

    Overwrites `never`'s logits.
    """
    log_probs = torch.log_softmax(logits, dim=1)
    logits[:, list(never)] = -torch.inf
    count = min(count, logits.shape[1])
    ids = best_places(logits, count) if enabled() else logits.topk(count, dim=1).indices
    return log_probs.gather(1, ids).masked_fill_(logits.gather(1, ids) == -torch.inf, -torch.inf), ids
