from __future__ import annotations

import pytest

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.counterfactuals import CHANGES, counterfactuals
from probeta.data.grammar.generator import Grammar
from probeta.data.grammar.kinds import link_kinds

GRAMMAR = Grammar(max_depth=0, max_length=8)


@pytest.mark.parametrize("change", CHANGES)
def test_pairs_differ_in_one_english_word_and_in_what_must_change(change: str) -> None:
    pairs = counterfactuals(GRAMMAR, change, 200, 3)
    assert len(pairs) == 200
    assert pairs == counterfactuals(GRAMMAR, change, 200, 3)
    for pair in pairs:
        before, after = pair.before, pair.after
        assert before.alignment == after.alignment
        differ = [s for s, (a, b) in enumerate(zip(before.source, after.source, strict=True)) if a != b]
        assert differ == [pair.position]
        assert pair.must == {t for t, (a, b) in enumerate(zip(before.target, after.target, strict=True)) if a != b}
        assert len(before.source) <= 8


def test_a_noun_of_another_gender_takes_its_article_along() -> None:
    gender = {form.lower(): noun.gender for noun in lex.NOUNS for form in (noun.english, noun.english_plural)}
    articles = {lex.DER: "der", lex.DIE: "die", lex.DAS: "das"}
    seen = 0
    for pair in counterfactuals(GRAMMAR, "gender", 400, 0):
        words = [side.source[pair.position] for side in (pair.before, pair.after)]
        assert gender[words[0]] != gender[words[1]]
        subject = pair.position == 1 and pair.before.source[0] == "the" and not words[0].endswith(("s", "en"))
        if subject and words[0] in {noun.english for noun in lex.NOUNS}:
            assert [side.target[0] for side in (pair.before, pair.after)] == [articles[gender[word]] for word in words]
            assert {0, 1} <= pair.must
            seen += 1
    assert seen > 10


def test_kinds_are_those_of_the_words_that_are_linked() -> None:
    corpus = GRAMMAR.sample(400, 0)
    counted = dict.fromkeys(("noun", "verb", "article", "particle", "reordered"), 0)
    nouns = {n.german.lower() for n in lex.NOUNS} - {"junge"}  # that is *young*, too
    for i in range(400):
        pair = corpus[i]
        for word, kinds in zip(pair.target, link_kinds(pair), strict=True):
            for kind in kinds:
                counted[kind] += 1
            if word in nouns:
                assert "noun" in kinds
            assert len(kinds & {"noun", "verb", "article", "particle"}) <= 1
            assert (word in ("nicht", ".", "heute")) <= (kinds <= {"reordered"})
    assert min(counted.values()) > 10
