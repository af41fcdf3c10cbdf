"""Does the attended position decide which words change, when one source word does?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from probeta.data.batch import PairBatch
from probeta.data.grammar.counterfactuals import Counterfactual
from probeta.data.pairs import EncodedPairs
from probeta.interventions.explanations import Floats
from probeta.interventions.passes import Subject, read
from probeta.metrics.alignment import Gold

FARTHEST = 3
"""Distances from here on are one group."""


def follow(subject: Subject, data: Any, pairs: Sequence[Counterfactual]) -> Floats:
    """A row per German word of `pairs`: pair, distance, whether it must change, whether it is right in both, whether
    the net looked most at the changed word as it wrote it.

    The net reads each reference's own words. The distance is that of the word's nearest link from the changed word
    (at most `FARTHEST`; NaN for a word without a link). Words are `<unk>` where training had none.
    """
    sides = [encode(subject, data, [getattr(pair, side) for pair in pairs]) for side in ("before", "after")]
    found = [read(side, [(i, ()) for i in range(len(pairs))]) for side in sides]
    right = [one.best == side.batch.target[:, 1:].cpu().numpy() for one, side in zip(found, sides, strict=True)]
    weights = found[0].attention
    rows = []
    for i, pair in enumerate(pairs):
        for t in range(len(pair.before.target)):
            away = [abs(s - pair.position) for s, target in pair.before.alignment if target == t]
            attended = weights is not None and int(weights[i, t].argmax()) == pair.position + 1
            distance = min(*away, FARTHEST) if away else np.nan
            rows.append((i, distance, t in pair.must, right[0][i, t] and right[1][i, t], attended))
    return np.array(rows, dtype=float)


def encode(subject: Subject, data: Any, pairs: Sequence[Gold]) -> Subject:
    """`subject` reading `pairs` instead."""
    ids = [
        [[subject.spec.bos_id, *language.vocabulary.encode(list(words)), subject.spec.eos_id] for words in side]
        for language, side in ((data.source, [p.source for p in pairs]), (data.target, [p.target for p in pairs]))
    ]
    device = subject.batch.source.device
    batch = EncodedPairs.from_lists(*ids).batch(np.arange(len(pairs)))
    return replace(subject, batch=PairBatch(*(part.to(device) for part in batch)), golds=list(pairs))
