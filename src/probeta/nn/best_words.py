"""The most probable words of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 64
"""Words of a vocabulary whose maximum is found together."""


def best_words(logits: Tensor, count: int, never: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Of `logits (N, V)` the `count` most probable ids that are not in `never`: log p and ids, `(N, count)` each.

    Overwrites `never`'s logits.
    """
    log_probs = torch.log_softmax(logits, dim=1)
    logits[:, list(never)] = -torch.inf
    ids = best_places(logits, min(count, logits.shape[1]))
    return log_probs.gather(1, ids).masked_fill_(logits.gather(1, ids) == -torch.inf, -torch.inf), ids


def best_places(x: Tensor, count: int) -> Tensor:
    """`x.topk(count)` of every row of `x (N, V)`, the ids alone.

    They lie in the blocks of the `count` greatest maxima, or beyond the last block; maxima take a tenth of the time.
    """
    blocks = x.shape[1] // BLOCK
    if blocks <= 2 * count:
        return x.topk(count, dim=1).indices
    whole = x[:, : blocks * BLOCK].view(len(x), blocks, BLOCK)
    chosen = whole.amax(2).topk(count, dim=1).indices
    inside = whole.gather(1, chosen[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
    place = torch.cat([inside, x[:, blocks * BLOCK :]], dim=1).topk(count, dim=1).indices
    block = chosen.gather(1, (place // BLOCK).clamp(max=count - 1))
    return torch.where(place < count * BLOCK, block * BLOCK + place % BLOCK, place + (blocks - count) * BLOCK)
