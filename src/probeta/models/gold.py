"""A translator's attention against gold links, where the data have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from probeta.data.batch import PairBatch
from probeta.metrics.alignment import AlignmentCounts, Gold, corpus_counts, word_weights
from probeta.metrics.attention_shape import coverage, entropy, path
from probeta.metrics.groups import scores_by_group
from probeta.metrics.translation import Words
from probeta.metrics.translation_errors import match_words

LABELS = ("diagonal", "jumps", "repetitions")
LENGTHS = (5, 10, 15, 20, 30, 40)
DISTANCES = (0, 2, 4, 6, 8, 12)
"""Upper edges of the groups by source length and by reordering distance."""
GROUPS = {"length": LENGTHS, "reordering": DISTANCES}
GROUP_SCORES = ("bleu", "exact_match")
FEWEST = 10
"""Sentences that a group must have to be a metric: one sentence of 500 makes a point on a chart, and no evidence."""

ALIGNED = ("aer", "alignment_precision", "alignment_recall", "attention_entropy", "attention_coverage",
           *(f"attention_{name}" for name in LABELS))  # fmt: skip
"""The names of `GoldScores.metrics`, but for those of heads."""


def group_metric(name: str, by: str, to: int) -> str:
    """After the upper edge of a group, or the last one of all: `exact_match_length_10`, `bleu_reordering_over_12`."""
    edges = GROUPS[by]
    return f"{name}_{by}_{to:02d}" if to in edges else f"{name}_{by}_over_{edges[-1]}"


GROUPED = tuple(
    group_metric(name, by, to)
    for by, edges in GROUPS.items()
    for to in (*edges, edges[-1] + 1)
    for name in GROUP_SCORES
)
"""The names of `group_metrics`."""


@runtime_checkable
class GoldData(Protocol):
    """Data that know the word alignment of every pair."""

    def gold(self, split: str, row: int) -> Gold: ...
    def reordering(self, split: str) -> Any: ...
    def source_lengths(self, split: str) -> Any: ...


class GoldScores:
    """Scores of one split's attention, from teacher-forced passes over the reference targets.

    `weights` are `(B, T, S)`: what the net calls its attention. `heads`, where it has several, are
    `(B, layers, heads, T, S)`. A target word links the source word of its largest weight, or none where
    that is `<bos>` or `<eos>`.
    """

    def __init__(self, data: GoldData, split: str) -> None:
        self.data, self.split = data, split
        self.counts: AlignmentCounts | None = None
        self.head_counts: AlignmentCounts | None = None
        self.shapes: list[tuple[float, ...]] = []

    def add(self, batch: PairBatch, weights: Tensor, heads: Tensor | None = None) -> None:
        golds = [self.data.gold(self.split, row) for row in batch.index.tolist()]
        mean = weights.detach().float().cpu().numpy()
        counts = corpus_counts(mean, golds)
        self.counts = counts if self.counts is None else self.counts + counts
        if heads is not None:
            by_head = corpus_counts(heads.detach().float().cpu().numpy(), golds)
            self.head_counts = by_head if self.head_counts is None else self.head_counts + by_head
        for one, gold in zip(mean, golds, strict=True):
            shape = len(gold.target), len(gold.source)
            rows = word_weights(one, *shape, keep_specials=True)
            labels = path(word_weights(one, *shape)).labels
            read = float((coverage(rows)[1:-1] >= 0.5).mean())
            self.shapes.append((float(entropy(rows).mean()), read, *(float(name in labels) for name in LABELS)))

    def metrics(self, head: tuple[int, ...] | None = None) -> dict[str, float]:
        """Names without the split: `aer`, precision and recall on 0–1; entropy in nats; shares of sentences.

        With `head`, a layer and a head, also `aer_head`, theirs.
        """
        assert self.counts is not None
        alone = {} if head is None or self.head_counts is None else {"aer_head": self.head_counts.error_rate[head]}
        nats, read, *labels = np.mean(self.shapes, axis=0).tolist()
        return {
            "aer": float(self.counts.error_rate),
            "alignment_precision": float(self.counts.precision),
            "alignment_recall": float(self.counts.recall),
            "attention_entropy": nats,
            "attention_coverage": read,
            **{f"attention_{name}": share for name, share in zip(LABELS, labels, strict=True)},
            **{name: float(value) for name, value in alone.items()},
        }

    def best_head(self) -> tuple[int, ...] | None:
        """Layer and head of the lowest error rate."""
        if self.head_counts is None:
            return None
        rates = self.head_counts.error_rate
        return tuple(int(i) for i in np.unravel_index(np.nanargmin(rates), rates.shape))

    def report(self) -> dict[str, Any]:
        """What `alignment.<split>.json` holds: scores, and those of every layer and head."""
        heads = self.head_counts
        rates = ("error_rate", "precision", "recall")
        return {
            "scores": self.metrics(),
            "heads": None if heads is None else {name: getattr(heads, name).tolist() for name in rates},
        }


def score_groups(
    data: GoldData, split: str, rows: Sequence[int], hypotheses: Sequence[Words], references: Sequence[Words]
) -> dict[str, list[dict[str, Any]]]:
    """BLEU and exact match of the translations of `rows` by source length and by reordering distance."""
    lengths = np.asarray(data.source_lengths(split))[list(rows)].tolist()
    distances = np.asarray(data.reordering(split))[list(rows)].tolist()
    return {
        "length": scores_by_group(hypotheses, references, lengths, LENGTHS),
        "reordering": scores_by_group(hypotheses, references, distances, DISTANCES),
    }


def group_metrics(scores: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """`scores` as metrics, named by `group_metric`.

    Those of fewer than `FEWEST` sentences are none; the artifact has them, with their counts.
    """
    return {
        group_metric(name, by, group["to"]): float(group[name])
        for by in GROUPS
        for group in scores[by]
        if group["count"] >= FEWEST
        for name in GROUP_SCORES
    }


def gold_links(data: Any, split: str, row: int, hypothesis: Sequence[str]) -> list[list[int]] | None:
    """`[source column, target row, sure]` of those words of a translation that stand in its reference; `None`
    where the data know no links.

    Gold links belong to the reference: a translation's word has those of the reference word that it matches in a
    least edit script. Columns count from `<bos>`, as attention's do.
    """
    if not isinstance(data, GoldData):
        return None
    gold = data.gold(split, row)
    place = {j: i for i, j in match_words(hypothesis, gold.target)}
    sure = set(gold.sure)
    return [[s + 1, place[t], int((s, t) in sure)] for s, t in gold.alignment if t in place]
