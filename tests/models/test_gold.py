"""Attention scored against gold links: perfect where it looks at them, per head; translations by group."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probeta.data.grammar.data import GrammarData
from probeta.models.gold import (
    DISTANCES,
    GROUPED,
    LENGTHS,
    GoldData,
    GoldScores,
    gold_links,
    group_metrics,
    score_groups,
)


@pytest.fixture(scope="module")
def data() -> GrammarData:
    found = GrammarData(n_samples=50, n_val=5, n_test=200, eval_batch_size=16)
    found.setup()
    return found


def oracle(data: GrammarData, batch: object) -> torch.Tensor:
    """Weights `(B, T, S)` that look at the first sure link of each word, and at `<eos>` where it has none."""
    B, S = batch.source.shape
    weights = torch.full((B, batch.target.shape[1] - 1, S), 1e-3)
    for row, index in enumerate(batch.index.tolist()):
        pair = data.gold("test", index)
        for t in range(len(pair.target)):
            sources = [s for s, target in sorted(pair.sure) if target == t]
            weights[row, t, sources[0] + 1 if sources else len(pair.source) + 1] = 1.0
    return weights / weights.sum(-1, keepdim=True)


def test_attention_on_sure_links_has_perfect_precision_and_the_wrong_head_has_not(data: GrammarData) -> None:
    assert isinstance(data, GoldData)
    scores = GoldScores(data, "test")
    for batch in data.batches("test"):
        weights = oracle(data, batch)
        heads = torch.stack([torch.stack([weights.roll(1, -1), weights])], 0).permute(2, 0, 1, 3, 4)
        scores.add(batch, weights, heads)
    found = scores.metrics(scores.best_head())
    assert scores.best_head() == (0, 1)
    assert found["alignment_precision"] == 1.0
    assert found["aer"] == found["aer_head"] < 0.03
    links = [(pair, {}) for pair in data.corpora["test"]]
    for pair, first in links:
        for s, t in sorted(pair.sure, reverse=True):
            first[t] = s
    # Sentence by sentence: the corpus' rate is their mean, weighted by |A| + |S|.
    rates = []
    for pair, first in links:
        a, s, p = {(s, t) for t, s in first.items()}, set(pair.sure), set(pair.alignment)
        rates.append(1 - (len(a & s) + len(a & p)) / (len(a) + len(s)))
    sizes = [len(first) + len(pair.sure) for pair, first in links]
    assert found["aer"] == pytest.approx(np.average(rates, weights=sizes))
    assert 0 <= found["attention_coverage"] <= 1


def test_translations_are_grouped_by_length_and_by_reordering(data: GrammarData) -> None:
    rows = list(range(200))
    references = data.reference_words("test", rows)
    wrong = [words[:-1] if len(data.gold("test", row).source) > 15 else words for row, words in enumerate(references)]
    found = score_groups(data, "test", rows, wrong, references)
    for group in found.values():
        assert sum(part["count"] for part in group) == 200
    metrics = group_metrics(found)
    assert set(metrics) <= set(GROUPED)
    assert len(set(GROUPED)) == 2 * (len(LENGTHS) + 1 + len(DISTANCES) + 1)
    assert metrics["exact_match_length_10"] == metrics["exact_match_length_15"] == 1.0
    assert metrics["exact_match_length_20"] == metrics["exact_match_length_30"] == 0.0
    assert any(name.startswith("bleu_reordering_") for name in metrics)
    few = [part for part in found["reordering"] if part["count"] < 10]
    assert few
    assert not any(f"bleu_reordering_{part['to']:02d}" in metrics for part in few)


def test_gold_links_are_those_of_the_words_that_the_reference_has(data: GrammarData) -> None:
    pair = data.gold("test", 0)
    links = gold_links(data, "test", 0, pair.target)
    assert links is not None
    assert {(s - 1, t) for s, t, _ in links} == set(pair.alignment)
    assert {(s - 1, t) for s, t, sure in links if sure} == set(pair.sure)
    # A word too many in front moves all others; one that is another word has no links.
    moved = gold_links(data, "test", 0, ["oh", *pair.target[:-1], "nein"])
    assert moved is not None
    last = len(pair.target) - 1
    assert {(s - 1, t - 1) for s, t, _ in moved} == {(s, t) for s, t in pair.alignment if t != last}
    assert gold_links(object(), "test", 0, pair.target) is None
