"""The generator: what it promises of sentences, alignments, parameters and seeds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from probeta.data.grammar.corpus import GrammarCorpus, Pair
from probeta.data.grammar.generator import Grammar
from probeta.errors import ConfigError

WORDS = """
dog hund hundes; dogs hunde hunden; cat katze; cats katzen; book buch buches; books bücher büchern
house haus hauses; garden garten gartens; city stadt; school schule; key schlüssel schlüssels; lamp lampe
because weil; although obwohl; if wenn; before bevor; while während; often oft; never nie; now jetzt
today heute; yesterday gestern; perhaps vielleicht; saw sah sahen; slept schlief schliefen; seen gesehen
given gegeben; found gefunden fand fanden; visits besucht; loves liebt; will wird werden werde; can kann können
could konnte konnten; should sollte sollten; two zwei; three drei; he er; we wir; them sie ihnen; , ,; . .
happy glücklich glückliche glücklichen glücklicher glückliches; sad traurig traurige traurigen trauriger trauriges
behind hinter
"""


@pytest.fixture(scope="module")
def corpus() -> GrammarCorpus:
    return Grammar().sample(4_000, seed=1)


def test_links_join_the_words_that_a_dictionary_joins(corpus: GrammarCorpus) -> None:
    """Wherever a dictionary's entry and its translation occur once each, the sure link is there."""
    checked = 0
    pairs = list(corpus.select(np.arange(1_500)))
    for entry in WORDS.replace("\n", ";").split(";"):
        if not entry.strip():
            continue
        english, *translations = entry.split()
        for pair in pairs:
            german = [t for t, word in enumerate(pair.target) if word in translations]
            if pair.source.count(english) == len(german) == 1:
                assert (pair.source.index(english), german[0]) in pair.sure, pair
                checked += 1
    assert checked > 2_000


def test_every_word_is_linked_within_the_sentence_and_sure_links_are_possible(corpus: GrammarCorpus) -> None:
    for pair in corpus:
        assert {t for _, t in pair.alignment} == set(range(len(pair.target)))
        assert {s for s, _ in pair.alignment} == set(range(len(pair.source)))
        assert set(pair.sure) <= set(pair.alignment)
        assert len(set(pair.alignment)) == len(pair.alignment)


def find(corpus: GrammarCorpus, *phrase: str) -> Pair:
    """The first pair whose source has `phrase`."""
    n = len(phrase)
    for pair in corpus:
        if any(pair.source[i : i + n] == phrase for i in range(len(pair.source) - n + 1)):
            return pair
    raise AssertionError(f"no {' '.join(phrase)}")


def links_of(pair: Pair, source: str, target: str) -> str:
    link = pair.source.index(source), pair.target.index(target)
    return "sure" if link in pair.sure else "possible" if link in pair.alignment else "none"


def test_function_words_are_linked_as_documented() -> None:
    corpus = Grammar(max_depth=0).sample(20_000, seed=3)
    pair = find(corpus, "does", "not", "pick", "up", "the")
    assert links_of(pair, "not", "nicht") == "sure"
    assert links_of(pair, "does", "holt") == "possible"
    assert links_of(pair, "pick", "holt") == links_of(pair, "up", "ab") == "sure"
    assert links_of(pair, "pick", "ab") == links_of(pair, "up", "holt") == "possible"
    pair = find(corpus, "does", "not", "have", "to", "sleep")
    assert links_of(pair, "have", "muss") == links_of(pair, "sleep", "schlafen") == "sure"
    assert links_of(pair, "to", "muss") == links_of(pair, "to", "schlafen") == "possible"
    pair = find(corpus, "in", "the", "city")
    assert links_of(pair, "in", "in") == "sure"
    once = corpus.select(np.array([i for i, pair in enumerate(corpus) if pair.source.count("the") == 1]))
    pair = find(once, "in", "the", "garden")
    assert links_of(pair, "in", "im") == "sure"
    assert links_of(pair, "the", "im") == "possible"
    pair = find(corpus, "looks", "for")
    assert links_of(pair, "looks", "sucht") == "sure"
    assert links_of(pair, "for", "sucht") == "possible"


@pytest.fixture(scope="module")
def two_clauses() -> GrammarCorpus:
    corpus = Grammar(max_depth=1, embedding=0.9).sample(20_000, seed=3)
    return corpus.select(np.flatnonzero(np.diff(corpus.clause_offsets) == 2))


@pytest.mark.parametrize(("pronoun", "least"), [("who", 100), ("whom", 50)])
def test_a_clause_s_commas_are_linked_to_the_pronoun_that_introduces_it(
    two_clauses: GrammarCorpus, pronoun: str, least: int
) -> None:
    checked = 0
    for pair in two_clauses:
        commas = [t for t, word in enumerate(pair.target) if word == ","]
        if pronoun in pair.source and len(commas) == 2:
            at = pair.source.index(pronoun)
            opening, closing = ({s for s, t in pair.alignment if t == comma} for comma in commas)
            assert opening == {at}
            assert at in closing
            assert len(closing) == 2
            assert max(closing) > at  # the clause's last word, and never the preposition before the pronoun
            assert not {t for _, t in pair.sure} & set(commas)
            checked += 1
    assert checked > least


@pytest.mark.parametrize(
    ("phrase", "german", "expected"),
    [
        (("with", "whom"), "mit", {"mit": "sure", "pronoun": "none", "verb": "none"}),
        (("of", "whom"), "an", {"an": "sure", "pronoun": "none", "verb": "none"}),
        (("for", "whom"), "auf", {"auf": "sure", "pronoun": "none", "verb": "none"}),
        (("for", "whom"), "", {"pronoun": "none", "verb": "possible"}),  # look for, suchen
        (("at", "whom"), "", {"pronoun": "none", "verb": "possible"}),  # look at, ansehen
        (("to", "whom"), "", {"pronoun": "possible", "verb": "none"}),  # give to, geben: a dative
    ],
)
def test_a_preposition_before_a_relative_pronoun_is_linked_to_what_german_has_for_it(
    two_clauses: GrammarCorpus, phrase: tuple[str, str], german: str, expected: dict[str, str]
) -> None:
    """In German a preposition, a form of the verb that has it built in, or a case."""
    checked = 0
    for pair in two_clauses:
        at = [i for i in range(len(pair.source) - 1) if pair.source[i : i + 2] == phrase]
        commas = [t for t, word in enumerate(pair.target) if word in (",", ".")]
        if len(at) != 1 or "listen" in " ".join(pair.source):
            continue
        prepositional = pair.target[commas[0] + 1] in ("mit", "an", "auf", "von", "über", "zu")
        if prepositional != bool(german) or (german and pair.target[commas[0] + 1] != german):
            continue
        pronoun = commas[0] + 1 + prepositional
        places = {german: [commas[0] + 1], "pronoun": [pronoun], "verb": list(range(pronoun + 1, commas[1]))}
        for name, wanted in expected.items():
            links = {(at[0], t) for t in places[name]}
            found = "sure" if links & set(pair.sure) else "possible" if links & set(pair.alignment) else "none"
            assert found == wanted, (pair, name)
        checked += 1
    assert checked > 5


def test_english_determines_german() -> None:
    german_of: dict[tuple[str, ...], tuple[str, ...]] = {}
    repeated = 0
    for pair in Grammar(max_length=7, max_depth=0).sample(30_000, seed=2):
        repeated += pair.source in german_of
        assert german_of.setdefault(pair.source, pair.target) == pair.target
    assert repeated > 500


def test_the_same_seed_gives_the_same_pairs_and_a_smaller_sample_begins_a_larger_one() -> None:
    small, again, large = (Grammar().sample(n, seed=5) for n in (50, 50, 20_000))
    assert list(small) == list(again) == list(large.select(np.arange(50)))
    assert list(small) != list(Grammar().sample(50, seed=6))


def test_bounds_on_length_and_reordering_hold() -> None:
    corpus = Grammar(min_length=8, max_length=12, min_reordering=3, max_reordering=5).sample(500, seed=1)
    assert corpus.source_lengths.min() >= 8
    assert corpus.source_lengths.max() <= 12
    assert set(corpus.reordering().tolist()) <= {3, 4, 5}


def test_reordering_is_the_longest_jump_between_neighbouring_target_words(corpus: GrammarCorpus) -> None:
    for pair, distance in zip(corpus.select(np.arange(300)), corpus.reordering(), strict=False):
        sources = {}
        for s, t in sorted(pair.sure, reverse=True):
            sources[t] = s
        path = [sources[t] for t in sorted(sources)]
        assert distance == max((abs(b - a - 1) for a, b in pairwise(path)), default=0)


def test_depth_makes_sentences_longer_and_clauses_kept_inside_the_bracket_move_words_further() -> None:
    flat, nested = (Grammar(max_depth=d, max_length=60).sample(2_000, seed=1) for d in (0, 3))
    kept = Grammar(max_depth=3, max_length=60, extrapose=False).sample(2_000, seed=1)
    assert not any("," in pair.target for pair in flat)
    assert flat.depths.max() == 0
    assert nested.depths.max() == 3
    assert flat.source_lengths.mean() < nested.source_lengths.mean()
    assert nested.reordering().mean() < kept.reordering().mean()


def test_cased_text_is_the_lowercased_text_with_capitals() -> None:
    lower, cased = (Grammar(lowercase=value).sample(300, seed=4) for value in (True, False))
    for a, b in zip(lower, cased, strict=True):
        assert a.source == tuple(word.lower() for word in b.source)
        assert a.target == tuple(word.lower() for word in b.target)
        assert a.alignment == b.alignment
        assert b.source[0][0].isupper()
        assert b.target[0][0].isupper()
    german = {word for pair in cased for word in pair.target[1:]}
    assert {"Hund", "Buch"} <= german
    assert not {"hund", "buch", "Hat", "Sieht"} & german


def test_you_and_your_are_there_when_asked_for() -> None:
    without, with_you = (Grammar(second_person=value).sample(2_000, seed=4) for value in (False, True))
    assert not {"you", "your"} & {word for pair in without for word in pair.source}
    assert {"du", "dich", "dir", "dein", "hast"} <= {word for pair in with_you for word in pair.target}


@pytest.mark.parametrize("lowercase", [True, False])
def test_spacy_s_tokenizers_give_the_same_words_back(lowercase: bool) -> None:
    spacy = pytest.importorskip("spacy")
    english, german = spacy.blank("en").tokenizer, spacy.blank("de").tokenizer
    # All words are in there; 1,500 sentences bring them into each other's company.
    corpus = Grammar(second_person=True, lowercase=lowercase).sample(1_500, seed=8)
    for pair in corpus:
        assert [token.text for token in english(" ".join(pair.source))] == list(pair.source)
        assert [token.text for token in german(" ".join(pair.target))] == list(pair.target)
    for tokenizer, words in ((english, corpus.source_words), (german, corpus.target_words)):
        assert all(len(tokenizer(word)) == 1 for word in words[1:])


def test_selecting_and_joining_keep_what_belongs_to_each_pair(corpus: GrammarCorpus) -> None:
    some = corpus.select(np.array([7, 3, 3]))
    assert list(some) == [corpus[7], corpus[3], corpus[3]]
    joined = GrammarCorpus.concatenate([some, Grammar(max_length=8).sample(5, seed=1)])
    assert list(joined)[:3] == list(some)
    assert len(joined) == 8
    flags = joined.clauses[:, 0] == joined.clauses[0, 0]
    twin = [flags[joined.clause_offsets[i] : joined.clause_offsets[i + 1]].any() for i in range(len(joined))]
    assert joined.any_clause(flags).tolist() == twin


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"max_depth": -1}, "data.max_depth=-1"),
        ({"embedding": 1.5}, "data.embedding=1.5"),
        ({"max_length": 3}, "data.max_length=3"),
        ({"min_length": 30}, "data.min_length=30"),
        ({"min_reordering": -1}, "data.min_reordering=-1"),
        ({"min_reordering": 3, "max_reordering": 2}, "data.max_reordering=2"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        Grammar(**settings)


def test_bounds_that_no_sentence_meets_are_refused() -> None:
    with pytest.raises(ConfigError, match="widen them"):
        Grammar(max_length=5, max_depth=0, min_reordering=15).sample(10, seed=1)
