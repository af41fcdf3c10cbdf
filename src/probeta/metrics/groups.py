"""Translation scores by a property of the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from probeta.metrics.translation import Words, bleu, exact_match


def scores_by_group(
    hypotheses: Sequence[Words], references: Sequence[Words], values: Sequence[int], edges: Sequence[int]
) -> list[dict[str, Any]]:
    """BLEU and exact match by a number of each sentence: its source length, its reordering distance.

    A group takes `from ≤ value ≤ to`, where the `to` are the `edges`; the first group is open below (its
    `from` is the smallest value), the last above (`to` is the largest). Groups without sentences are
    left out. Each is `{"from", "to", "count", "bleu", "exact_match"}`, in rising order.
    """
    if not len(hypotheses) == len(references) == len(values):
        raise ValueError(f"{len(hypotheses)} hypotheses, {len(references)} references, {len(values)} values")
    numbers, bounds = np.asarray(values), sorted(edges)
    place = np.searchsorted(np.asarray(bounds), numbers, side="left")
    groups = []
    for number in np.unique(place).tolist():
        rows: list[int] = np.flatnonzero(place == number).tolist()
        some = ([hypotheses[i] for i in rows], [references[i] for i in rows])
        groups.append(
            {
                "from": int(numbers.min()) if number == 0 else bounds[number - 1] + 1,
                "to": bounds[number] if number < len(bounds) else int(numbers.max()),
                "count": len(rows),
                "bleu": bleu(*some).value,
                "exact_match": exact_match(*some),
            }
        )
    return groups
