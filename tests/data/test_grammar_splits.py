"""Splits: disjoint, and each different from training in the one way that it is named after."""

from __future__ import annotations

import numpy as np
import pytest

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.constructions import CONSTRUCTIONS, VerbForm
from probeta.data.grammar.corpus import GrammarCorpus
from probeta.data.grammar.generator import Grammar
from probeta.data.grammar.splits import KINDS, held_out_pairs, split_corpus
from probeta.errors import ConfigError

SIZES = {"train": 3_000, "val": 200, "test": 300}


@pytest.fixture(scope="module")
def splits() -> dict[str, dict[str, GrammarCorpus]]:
    return {kind: split_corpus(Grammar(), kind, 42, SIZES) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_no_source_sentence_is_in_a_split_twice_or_in_two(splits: dict, kind: str) -> None:
    sources = [pair.source for corpus in splits[kind].values() for pair in corpus]
    assert len(sources) == len(set(sources)) == sum(SIZES.values())
    assert {split: len(corpus) for split, corpus in splits[kind].items()} == SIZES


def test_by_length_training_and_validation_are_short_and_test_is_long(splits: dict) -> None:
    found = splits["length"]
    assert max(found["train"].source_lengths.max(), found["val"].source_lengths.max()) == 12
    assert found["test"].source_lengths.min() == 13


def held_clauses(corpus: GrammarCorpus, held: np.ndarray) -> list[bool]:
    """A plain loop: whether each pair has a clause whose verb and construction are held out."""
    spans = zip(corpus.clause_offsets[:-1], corpus.clause_offsets[1:], strict=True)
    return [any(held[verb, c] for verb, c in corpus.clauses[a:b].tolist()) for a, b in spans]


def test_by_composition_only_test_joins_the_held_out_pairs(splits: dict) -> None:
    held = held_out_pairs(42)
    found = splits["composition"]
    assert not any(held_clauses(found["train"], held))
    assert not any(held_clauses(found["val"], held))
    assert all(held_clauses(found["test"], held))


@pytest.mark.parametrize("seed", range(5))
def test_every_german_verb_keeps_a_participle_and_an_infinitive_in_training(seed: int) -> None:
    held = held_out_pairs(seed)
    assert 100 < held.sum() < 250
    for form in (VerbForm.PARTICIPLE, VerbForm.BASE):
        for row, verb in enumerate(lex.VERBS):
            # What is drawn at all: nobody *had known* or *must love*.
            columns = [i for i, c in enumerate(CONSTRUCTIONS) if c.form is form and (c.stative or not verb.stative)]
            assert not held[row, columns].all()
    for row, verb in enumerate(lex.VERBS):
        same = [i for i, other in enumerate(lex.VERBS) if other.german == verb.german]  # laugh, laugh about: lachen
        np.testing.assert_array_equal(held[same], held[[row] * len(same)])
    finite = [i for i, c in enumerate(CONSTRUCTIONS) if c.form in (VerbForm.PRESENT, VerbForm.PAST)]
    assert not held[:, finite].any()
    assert held.shape == (len(lex.VERBS), len(CONSTRUCTIONS))


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_by_composition_test_sentences_have_no_word_that_training_lacks(seed: int) -> None:
    found = split_corpus(Grammar(), "composition", seed, {"train": 20_000, "val": 10, "test": 1_000})
    for side in ("source", "target"):
        words = {split: {word for pair in corpus for word in getattr(pair, side)} for split, corpus in found.items()}
        assert words["test"] <= words["train"]


def test_test_and_validation_do_not_change_with_the_size_of_training(splits: dict) -> None:
    other = split_corpus(Grammar(), "iid", 42, {**SIZES, "train": 10})
    for split in ("val", "test"):
        assert list(other[split]) == list(splits["iid"][split])
    another = split_corpus(Grammar(), "iid", 43, {**SIZES, "train": 10})
    assert list(another["test"]) != list(other["test"])


def test_more_pairs_than_there_are_is_an_error_that_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probeta.data.grammar.splits.PATIENCE", 2)
    with pytest.raises(ConfigError, match="different train pairs"):
        split_corpus(
            Grammar(max_depth=0, max_length=4, min_reordering=2), "iid", 1, {"train": 9_000, "val": 1, "test": 1}
        )


@pytest.mark.parametrize(
    ("kind", "cut", "key"), [("random", 12, "data.split=random"), ("length", 24, "data.length_cut=24")]
)
def test_an_unknown_split_or_a_useless_cut_is_named(kind: str, cut: int, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        split_corpus(Grammar(), kind, 1, SIZES, cut)
