"""Scores by group, against scoring each group by itself."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu

from probeta.metrics.groups import scores_by_group

HYPOTHESES = ["a b c d e", "a b c d x", "the cat sat on the mat", "k l m n o p", "q"]
REFERENCES = ["a b c d e", "a b c d e", "the cat sat on a mat", "k l m n o p", "r"]


def split(lines: list[str]) -> list[list[str]]:
    return [line.split() for line in lines]


def test_each_group_s_scores_are_those_of_its_sentences_alone() -> None:
    found = scores_by_group(split(HYPOTHESES), split(REFERENCES), [3, 4, 9, 5, 20], [4, 8, 15, 18])
    assert [(g["from"], g["to"], g["count"]) for g in found] == [(3, 4, 2), (5, 8, 1), (9, 15, 1), (19, 20, 1)]
    assert [g["exact_match"] for g in found] == [0.5, 1.0, 0.0, 0.0]
    for group, rows in zip(found, ([0, 1], [3], [2], [4]), strict=True):
        hypotheses, references = ([lines[i] for i in rows] for lines in (HYPOTHESES, REFERENCES))
        alone = sacrebleu.corpus_bleu(hypotheses, [references], tokenize="none", force=True).score
        assert group["bleu"] == pytest.approx(alone)


def test_every_sentence_is_in_the_group_of_its_value() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(1, 12, 40).tolist()
    lines = [["w"] * n for n in values]
    groups = scores_by_group(lines, lines, values, (5, 8))
    assert [(g["from"], g["to"]) for g in groups] == [(min(values), 5), (6, 8), (9, max(values))]
    assert [g["count"] for g in groups] == [sum(g["from"] <= n <= g["to"] for n in values) for g in groups]


def test_lists_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="5 hypotheses, 5 references, 1 values"):
        scores_by_group(split(HYPOTHESES), split(REFERENCES), [1], [2])
