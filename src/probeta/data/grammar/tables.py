"""The lexicon compiled to arrays of word ids, indexed by grammatical features.

Axes: `number` 0 singular, 1 plural; `gender` masculine, feminine, neuter, plural; `case` as in
`german.CASES`; `person` ich, du, er, wir, ihr, sie; `past` 0 or 1. Id 0 is the empty slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from probeta.data.grammar import english, german
from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.constructions import CONSTRUCTIONS, english_auxiliary, german_auxiliary, with_sein
from probeta.data.grammar.draws import Ints

ARTICLES = ("the", "a", "this", "my", "your", "his", "her", "our", "their", "every", "two", "three")
THE, A, THIS = range(3)
EVERY, TWO, THREE = 9, 10, 11
KEIN = len(ARTICLES)
"""The German side of *a* under negation."""
PRONOUNS = ("I", "you", "he", "she", "we", "they")
PRONOUN_PERSON = np.array([0, 1, 2, 2, 3, 5])
"""Which person's verb form goes with each pronoun."""

_POSSESSIVE = dict(zip(ARTICLES[3:9], ("mein", "dein", "sein", "ihr", "unser", "ihr"), strict=True))


class Words:
    """Words by id, in the order in which they were first asked for."""

    def __init__(self) -> None:
        self.ids = {"": 0}

    def id(self, word: str) -> int:
        return self.ids.setdefault(word, len(self.ids))

    def array(self, nested: Any) -> Ints:
        """A nested list of words as an array of ids."""
        flat = np.asarray(nested, dtype=object)
        return np.array([self.id(word) for word in flat.ravel()], dtype=np.int16).reshape(flat.shape)


class EnglishTables:
    def __init__(self) -> None:
        self.words = words = Words()
        self.noun = words.array([[n.english, n.english_plural] for n in lex.NOUNS])
        self.adjective = words.array([a.english for a in lex.ADJECTIVES])
        self.article = words.array([[self._article(a, number) for number in (0, 1)] for a in ARTICLES])
        self.an = np.int16(words.id("an"))
        vowel = {i for word, i in words.ids.items() if word and english.starts_with_vowel(word)}
        self.vowel = np.array([i in vowel for i in range(len(words.ids))])
        self.pronoun = words.array(
            [list(PRONOUNS), ["me", "you", "him", "her", "us", "them"], ["me", "you", "him", "her", "us", "them"]]
        ).T
        self._verbs()
        self.time = _pairs(words, lex.TIMES, 0)
        self.frequency = _pairs(words, lex.FREQUENCIES, 0)
        self.sentence_adverb = _pairs(words, lex.SENTENCE_ADVERBS, 0)
        self.conjunction = _pairs(words, lex.CONJUNCTIONS, 0)
        # [after a preposition, subject or object, thing or person]
        self.relative = words.array([[["that", "who"], ["that", "whom"]], [["which", "whom"], ["which", "whom"]]])
        self.no, self.of, self.to = (np.int16(words.id(word)) for word in ("not", "of", "to"))
        self.comma, self.period = np.int16(words.id(",")), np.int16(words.id("."))

    @staticmethod
    def _article(article: str, number: int) -> str:
        plural = {"a": "", "this": "these", "every": ""}
        return plural.get(article, article) if number else article

    def _verbs(self) -> None:
        forms = [_english_forms(verb.english) for verb in lex.VERBS]
        self.finite = self.words.array([[english.present(base), english.past(base, past)] for base, past, *_ in forms])
        self.base = self.words.array([base for base, *_ in forms])
        self.participle = self.words.array([participle for _, _, participle, *_ in forms])
        self.particle = self.words.array([particle for *_, particle, _ in forms])
        self.do = self.words.array([english.present("do"), ("did",) * 6])
        names = [c.english for c in CONSTRUCTIONS]
        self.auxiliary = self.words.array([english_auxiliary(name) if name else [""] * 6 for name in names])
        # Behind *do*: have to, had to, want to, wanted to.
        plain = {"have to": "have", "had to": "have", "want to": "want", "wanted to": "want"}
        self.auxiliary_base = self.words.array([plain.get(name, "") for name in names])


class GermanTables:
    def __init__(self) -> None:
        self.words = words = Words()
        self.noun = words.array(
            [
                [
                    [german.noun(n.german, n.german_plural, n.gender != lex.DIE, n.weak, k, c) for c in range(4)]
                    for k in (0, 1)
                ]
                for n in lex.NOUNS
            ]
        )
        self.article = words.array(
            [[[self._article(a, g, c) for c in range(4)] for g in range(4)] for a in range(len(ARTICLES) + 1)]
        )
        self.adjective = words.array(
            [
                [
                    [
                        [german.adjective(a.stem or a.german, self._declension(article, g), g, c) for c in range(4)]
                        for g in range(4)
                    ]
                    for article in range(len(ARTICLES) + 1)
                ]
                for a in lex.ADJECTIVES
            ]
        )
        self.predicate = words.array([a.german for a in lex.ADJECTIVES])
        nominatives = ("ich", "du", "er", "sie", "wir", "SIE")
        self.pronoun = words.array([[german.personal_pronoun(p, c) for c in range(3)] for p in nominatives])
        self.relative = words.array([[german.relative_pronoun(g, c) for c in range(4)] for g in range(4)])
        self._verbs()
        self.time = _pairs(words, lex.TIMES, 1)
        self.frequency = _pairs(words, lex.FREQUENCIES, 1)
        self.sentence_adverb = _pairs(words, lex.SENTENCE_ADVERBS, 1)
        self.conjunction = _pairs(words, lex.CONJUNCTIONS, 1)
        self.no, self.comma, self.period = (np.int16(words.id(word)) for word in ("nicht", ",", "."))

    @staticmethod
    def _article(article: int, gender: int, case: int) -> str:
        if article == KEIN:
            return german.ein_word("kein", gender, case)
        name = ARTICLES[article]
        if name == "the":
            return german.definite(gender, case)
        if name == "a":
            return "" if gender == 3 else german.ein_word("ein", gender, case)
        if name in ("two", "three"):
            return {"two": "zwei", "three": "drei"}[name]
        if name in ("this", "every"):
            return german.der_word({"this": "dies", "every": "jed"}[name], gender, case)
        return german.ein_word(_POSSESSIVE[name], gender, case)

    @staticmethod
    def _declension(article: int, gender: int) -> str:
        if article in (TWO, THREE) or (article == A and gender == 3):
            return "strong"
        return "weak" if article in (THE, THIS, EVERY) else "mixed"

    def _verbs(self) -> None:
        forms = [_german_forms(verb.german) for verb in lex.VERBS]
        finite = [
            [german.present(infinitive, stem), german.preterite(infinitive, past)]
            for _, infinitive, stem, past, _ in forms
        ]
        self.finite = self.words.array(finite)
        joined = [
            [[form[0] + word for word in tense] for tense in tenses] for form, tenses in zip(forms, finite, strict=True)
        ]
        self.joined = self.words.array(joined)
        self.particle = self.words.array([particle for particle, *_ in forms])
        self.infinitive = self.words.array([particle + infinitive for particle, infinitive, *_ in forms])
        self.participle = self.words.array([f[0] + german.participle(f[1], f[4]) for f in forms])
        names = [c.german for c in CONSTRUCTIONS]
        # [construction, haben or sein, person]
        self.auxiliary = self.words.array(
            [[german_auxiliary(name) if name else [""] * 6 for name in (haben, with_sein(haben))] for haben in names]
        )


class Prepositions:
    """Every preposition of the lexicon: of places first, then of verbs; 0 is none.

    `first` and `second` are the English words; a verb's English preposition that German builds into
    the verb stands alone in `second`.
    """

    def __init__(self, english_words: Words, german_words: Words) -> None:
        triples: list[tuple[str, str, str]] = [("", "", "")]
        for words, preposition, _ in lex.PREPOSITIONS:
            first, _, second = words.partition(" ")
            triples.append((first, second, preposition))
        self.of_verb = np.zeros(len(lex.VERBS), dtype=np.int64)
        self.case = np.zeros(len(lex.VERBS), dtype=np.int64)
        for i, verb in enumerate(lex.VERBS):
            preposition, _, case = verb.preposition.partition("+")
            word = _english_forms(verb.english)[4]
            self.case[i] = 2 if case == "dat" or verb.frame is lex.Frame.DATIVE else 1
            if word:
                triple = (word, "", preposition) if preposition else ("", word, "")
                if triple not in triples:
                    triples.append(triple)
                self.of_verb[i] = triples.index(triple)
        self.first = english_words.array([first for first, _, _ in triples])
        self.second = english_words.array([second for _, second, _ in triples])
        self.german = german_words.array([word for _, _, word in triples])
        # [preposition, gender, case], 0 where the article stays
        self.contraction = german_words.array(
            [
                [[german.contraction(word, german.definite(g, c)) if g < 3 else "" for c in range(4)] for g in range(4)]
                for _, _, word in triples
            ]
        )


def _pairs(words: Words, pairs: Iterable[tuple[str, str]], side: int) -> Ints:
    return words.array([pair[side] for pair in pairs])


def _english_forms(entry: str) -> tuple[str, str, str, str, str]:
    """Base, past, participle, particle, preposition."""
    parts = entry.split()
    particle = next((p[1:] for p in parts if p.startswith("+")), "")
    preposition = next((p[1:] for p in parts if p.startswith(">")), "")
    forms = [p for p in parts if p[0] not in "+>"]
    base = forms[0]
    past, participle = forms[1:] if len(forms) == 3 else (english.regular_past(base),) * 2
    return base, past, participle, particle, preposition


def _german_forms(entry: str) -> tuple[str, str, str, str, str]:
    """Particle, infinitive, changed stem, preterite, participle (each empty where there is none)."""
    infinitive, *strong = entry.split()
    particle, _, infinitive = infinitive.rpartition("|")
    stem, past, participle = strong or ("", "", "")
    return particle, infinitive, stem.replace("-", ""), past, participle
