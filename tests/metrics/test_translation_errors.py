"""Error analysis on constructed sentences, and against independent counts on random ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from nltk.metrics.distance import edit_distance

from probeta.metrics.translation_errors import TranslationErrors, analyse, edit_script, match_words, rates, sum_errors

KINDS = ("order", "unknown", "omissions", "repetitions", "insertions", "substitutions")


@pytest.mark.parametrize(
    ("hypothesis", "reference", "expected"),
    [
        ("a b c d", "a b c d", {}),
        ("a c b d", "a b c d", {"order": 1}),
        ("d a b c", "a b c d", {"order": 1}),
        ("a b d", "a b c d", {"omissions": 1}),
        ("a b <unk> d", "a b c d", {"unknown": 1}),
        ("a b b c d", "a b c d", {"repetitions": 1}),
        ("a b b b c d", "a b c d", {"repetitions": 2}),
        ("x x x d", "a b c d", {"repetitions": 2, "substitutions": 1}),
        ("a b x c d", "a b c d", {"insertions": 1}),
        ("a x c d", "a b c d", {"substitutions": 1}),
        ("", "a b", {"omissions": 2}),
        ("a b", "", {"insertions": 2}),
        ("the the cat", "the cat the", {"order": 1}),
    ],
)
def test_each_kind_is_found_where_it_was_put(hypothesis: str, reference: str, expected: dict[str, int]) -> None:
    errors = analyse(hypothesis.split(), reference.split())
    assert {kind: getattr(errors, kind) for kind in KINDS if getattr(errors, kind)} == expected


def test_counts_agree_with_edit_distance_and_add_up() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        hypothesis, reference = ([str(w) for w in rng.choice(list("abcde"), rng.integers(0, 9))] for _ in range(2))
        matched, deleted, inserted = edit_script(hypothesis, reference)
        substituted = len(hypothesis) - len(matched) - len(inserted)
        assert len(deleted) + len(inserted) + substituted == edit_distance(hypothesis, reference)
        assert len(reference) == len(matched) + len(deleted) + substituted
        pairs = match_words(hypothesis, reference)
        assert pairs == sorted(pairs)
        assert {i for i, _ in pairs} == matched
        assert not {j for _, j in pairs} & deleted
        assert len({j for _, j in pairs}) == len(pairs)
        assert all(hypothesis[i] == reference[j] for i, j in pairs)
        errors = analyse(hypothesis, reference)
        found = errors.order + errors.unknown + errors.repetitions + errors.insertions + errors.substitutions
        assert found + errors.correct == len(hypothesis)
        # No more words can be out of order than both sentences share, beyond those in place.
        assert errors.order <= (Counter(hypothesis) & Counter(reference)).total() - len(matched)


def test_matched_words_keep_the_references_order() -> None:
    matched, deleted, _ = edit_script(["b", "a", "c"], ["a", "b", "c"])
    assert 2 in matched
    assert not deleted - {0, 1}


def test_totals_are_sums_and_rates_are_per_hundred_reference_words() -> None:
    errors = [analyse(["a"], ["a", "b"]), analyse(["<unk>", "y"], ["x", "y"])]
    summed = sum_errors(errors)
    assert summed == TranslationErrors(
        order=0,
        unknown=1,
        omissions=1,
        repetitions=0,
        insertions=0,
        substitutions=0,
        correct=2,
        hypothesis_words=3,
        reference_words=4,
    )
    assert rates(errors)["omissions"] == 25.0
