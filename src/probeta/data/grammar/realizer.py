"""From derivations to words: fills the slots of every clause in both languages.

Slots are stored slot-major, `(slots, n)`, so that filling one slot for all clauses is one write.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.constructions import CONSTRUCTIONS, VerbForm
from probeta.data.grammar.derivation import FRONT_CLAUSE, NO_GAP, OBJECT, SUBJECT, Clauses, Phrases
from probeta.data.grammar.draws import Ints
from probeta.data.grammar.syntax import DE, EN, ENGLISH_SLOTS, GERMAN_SLOTS, ROLES, ObjectField, Order
from probeta.data.grammar.tables import EVERY, KEIN, THE, A, EnglishTables, GermanTables, Prepositions

_FORM = np.array([list(VerbForm).index(c.form) for c in CONSTRUCTIONS])
_PAST = np.array([c.past for c in CONSTRUCTIONS], dtype=np.int64)
_SEMI_MODAL = np.array([c.semi_modal for c in CONSTRUCTIONS])
_FINITE = np.isin(_FORM, [list(VerbForm).index(VerbForm.PRESENT), list(VerbForm).index(VerbForm.PAST)])
_PARTICIPLE = list(VerbForm).index(VerbForm.PARTICIPLE)
_COPULA = np.array([verb.frame is lex.Frame.COPULAR for verb in lex.VERBS])
_BE = np.array([verb.be for verb in lex.VERBS], dtype=np.int64)
_GENDER = np.array([noun.gender.value for noun in lex.NOUNS])
_PERSON = np.array([int(noun.kind is lex.Kind.PERSON) for noun in lex.NOUNS])


@dataclass
class Filled:
    """The words of one level: 0 is an empty slot."""

    english: Ints
    """`(English slots, n)`"""
    german: Ints
    """`(German slots, n)`, in the order of `syntax.GERMAN_SLOTS`, not yet in that of the sentence."""
    layout: Ints
    """`(n,)` row of the table of German orders."""


class Realizer:
    def __init__(self, english: EnglishTables, german: GermanTables, prepositions: Prepositions) -> None:
        self.en, self.de, self.prepositions = english, german, prepositions

    def fill(self, clauses: Clauses, phrases: Phrases, extrapose: bool) -> Filled:
        n = len(clauses)
        english = np.zeros((len(ENGLISH_SLOTS), n), dtype=np.int16)
        german = np.zeros((len(GERMAN_SLOTS), n), dtype=np.int16)
        self._introduce(clauses, english, german)
        self._english_verbs(clauses, phrases, english)
        self._german_verbs(clauses, phrases, german)
        self._adverbs(clauses, english, german)
        for role in range(len(ROLES)):
            rows = np.flatnonzero(phrases.role == role)
            part = phrases.select(rows)
            self._english_phrases(part, role, english)
            self._german_phrases(part, role, german)
        return Filled(english, german, self._layout(clauses, phrases, extrapose))

    def _introduce(self, clauses: Clauses, english: Ints, german: Ints) -> None:
        context = clauses.context
        rows = np.flatnonzero(context.conjunction)
        english[EN["CONJUNCTION"], rows] = self.en.conjunction[context.conjunction[rows] - 1]
        german[DE["CONJUNCTION"], rows] = self.de.conjunction[context.conjunction[rows] - 1]
        embedded = (context.slot >= 0) & (context.slot != FRONT_CLAUSE)
        german[DE["COMMA"]] = np.where(embedded, self.de.comma, 0)
        front = clauses.children[:, FRONT_CLAUSE]
        english[EN["FRONT_COMMA"]] = np.where(front, self.en.comma, 0)
        german[DE["FRONT_COMMA"]] = np.where(front, self.de.comma, 0)
        main = context.slot < 0
        english[EN["PERIOD"]] = np.where(main, self.en.period, 0)
        german[DE["PERIOD"]] = np.where(main, self.de.period, 0)
        self._relative_pronouns(clauses, english, german)

    def _relative_pronouns(self, clauses: Clauses, english: Ints, german: Ints) -> None:
        context = clauses.context
        rows = np.flatnonzero(context.gap != NO_GAP)
        gap, head, verb = context.gap[rows], context.head[rows], clauses.verb[rows]
        preposition = np.where(gap == OBJECT, self.prepositions.of_verb[verb], 0)
        first, second = self.prepositions.first[preposition], self.prepositions.second[preposition]
        to = np.where(gap > OBJECT, self.en.to, 0)
        english[EN["RELATIVE_PREPOSITION"], rows] = first
        english[EN["RELATIVE_PREPOSITION_2"], rows] = second
        english[EN["RELATIVE_TO"], rows] = to
        german[DE["RELATIVE_PREPOSITION"], rows] = self.prepositions.german[preposition]
        oblique = (gap != SUBJECT).astype(np.int64)
        pied_piped = (first + second + to > 0).astype(np.int64)
        english[EN["RELATIVE"], rows] = self.en.relative[pied_piped, oblique, _PERSON[head]]
        gender = np.where(context.head_plural[rows] == 1, 3, _GENDER[head])
        case = np.where(gap == SUBJECT, 0, np.where(gap == OBJECT, self.prepositions.case[verb], 2))
        german[DE["RELATIVE"], rows] = self.de.relative[gender, case]

    def _english_verbs(self, clauses: Clauses, phrases: Phrases, english: Ints) -> None:
        verb, c, person, negated = clauses.verb, clauses.construction, clauses.person, clauses.negated
        past, finite, semi, copula = _PAST[c], _FINITE[c], _SEMI_MODAL[c], _COPULA[verb]
        do = negated & ((finite & ~copula) | semi)
        auxiliary = self.en.auxiliary[c, person]
        ending = self.en.finite[verb, past, person]
        english[EN["DO"]] = np.where(do, self.en.do[past, person], 0)
        english[EN["AUXILIARY"]] = np.where(semi, 0, auxiliary)
        english[EN["COPULA"]] = np.where(finite & copula, ending, 0)
        english[EN["NOT"]] = np.where(negated, self.en.no, 0)
        english[EN["SEMI_MODAL"]] = np.where(semi, np.where(negated, self.en.auxiliary_base[c], auxiliary), 0)
        english[EN["TO"]] = np.where(semi, self.en.to, 0)
        plain = np.where(_FORM[c] == _PARTICIPLE, self.en.participle[verb], self.en.base[verb])
        plain = np.where(finite & ~negated, ending, plain)
        english[EN["VERB"]] = np.where(finite & copula, 0, plain)
        after = np.zeros(len(verb), dtype=bool)  # "picks him up", but "picks the man up" reads "picks up the man"
        after[phrases.clause[(phrases.role == OBJECT) & (phrases.pronoun >= 0)]] = True
        particle = self.en.particle[verb]
        english[EN["PARTICLE"]] = np.where(after, 0, particle)
        english[EN["PARTICLE_AFTER"]] = np.where(after, particle, 0)

    def _german_verbs(self, clauses: Clauses, phrases: Phrases, german: Ints) -> None:
        verb, c, person = clauses.verb, clauses.construction, clauses.person
        finite, past = _FINITE[c], _PAST[c]
        final = clauses.order == Order.FINAL
        ending = np.where(final, self.de.joined[verb, past, person], self.de.finite[verb, past, person])
        german[DE["VERB"]] = np.where(finite, ending, 0)
        german[DE["PARTICLE"]] = np.where(finite & ~final, self.de.particle[verb], 0)
        german[DE["AUXILIARY"]] = self.de.auxiliary[c, _BE[verb], person]
        plain = np.where(_FORM[c] == _PARTICIPLE, self.de.participle[verb], self.de.infinitive[verb])
        german[DE["INFINITE"]] = np.where(finite, 0, plain)
        nicht = clauses.negated.copy()
        nicht[phrases.clause[phrases.kein]] = False
        german[DE["NICHT"]] = np.where(nicht, self.de.no, 0)

    def _adverbs(self, clauses: Clauses, english: Ints, german: Ints) -> None:
        for tables, slots, columns in ((self.en, english, EN), (self.de, german, DE)):
            front = np.concatenate([tables.sentence_adverb, tables.time])
            adjectives = tables.adjective if isinstance(tables, EnglishTables) else tables.predicate
            for name, words, index in (
                ("TIME", tables.time, clauses.time),
                ("FREQUENCY", tables.frequency, clauses.frequency),
                ("FRONT_ADVERB", front, clauses.front_adverb),
                ("PREDICATE", adjectives, clauses.predicate),
            ):
                slots[columns[name]] = np.where(index >= 0, words[index], 0)

    def _english_phrases(self, p: Phrases, role: int, english: Ints) -> None:
        en, name, rows = self.en, ROLES[role], p.clause
        pronoun = p.pronoun >= 0
        adjective = np.where(p.adjective >= 0, en.adjective[p.adjective], 0)
        noun = en.noun[p.noun, p.plural]
        article = np.where(pronoun, 0, en.article[p.article, p.plural])
        vowel = en.vowel[np.where(adjective > 0, adjective, noun)]
        article = np.where(vowel & (p.article == A) & (article > 0), en.an, article)
        owned = p.owner >= 0
        for part, words in (
            ("PREPOSITION", self.prepositions.first[p.preposition]),
            ("PREPOSITION_2", self.prepositions.second[p.preposition]),
            ("ARTICLE", article),
            ("ADJECTIVE", adjective),
            ("NOUN", np.where(pronoun, en.pronoun[p.pronoun, int(role != SUBJECT)], noun)),
            ("OF", np.where(owned, en.of, 0)),
            ("OWNER_ARTICLE", np.where(owned, en.article[p.owner_article, p.owner_plural], 0)),
            ("OWNER", np.where(owned, en.noun[p.owner, p.owner_plural], 0)),
        ):
            english[EN[f"{name}_{part}"], rows] = words

    def _german_phrases(self, p: Phrases, role: int, german: Ints) -> None:
        de, name, rows = self.de, ROLES[role], p.clause
        pronoun, owned = p.pronoun >= 0, p.owner >= 0
        gender = np.where(p.plural == 1, 3, _GENDER[p.noun])
        owner_gender = np.where(p.owner_plural == 1, 3, _GENDER[p.owner])
        article_kind = np.where(p.kein, KEIN, p.article)
        preposition = self.prepositions.german[p.preposition]
        # *im Haus*, but *in dem Haus, das …*, where the article points to the relative clause.
        contracts = (p.article == THE) & ~pronoun & ~p.restricted
        contraction = np.where(contracts, self.prepositions.contraction[p.preposition, gender, p.case], 0)
        article = np.where(pronoun | (contraction > 0), 0, de.article[article_kind, gender, p.case])
        adjective = de.adjective[p.adjective, article_kind, gender, p.case]
        genitive = np.full(len(rows), 3)
        for part, words in (
            ("PREPOSITION", np.where(contraction > 0, 0, preposition)),
            ("CONTRACTION", contraction),
            ("ARTICLE", np.where(p.kein, 0, article)),
            ("KEIN", np.where(p.kein, article, 0)),
            ("ADJECTIVE", np.where(p.adjective >= 0, adjective, 0)),
            ("NOUN", np.where(pronoun, de.pronoun[p.pronoun, p.case], de.noun[p.noun, p.plural, p.case])),
            ("OWNER_ARTICLE", np.where(owned, de.article[p.owner_article, owner_gender, genitive], 0)),
            ("OWNER", np.where(owned, de.noun[p.owner, p.owner_plural, genitive], 0)),
        ):
            german[DE[f"{name}_{part}"], rows] = words

    def _layout(self, clauses: Clauses, phrases: Phrases, extrapose: bool) -> Ints:
        rows = np.flatnonzero(phrases.role == OBJECT)
        prepositional = self.prepositions.german[phrases.preposition[rows]] > 0
        article = phrases.article[rows]
        late = prepositional | (article == A) | (article > EVERY)
        nicht = clauses.negated[phrases.clause[rows]] & ~late
        early = ((phrases.pronoun[rows] >= 0) | nicht) & ~prepositional
        field = np.zeros(len(clauses), dtype=np.int64)
        field[phrases.clause[rows]] = np.where(
            early, int(ObjectField.EARLY), np.where(late, int(ObjectField.LATE), int(ObjectField.MIDDLE))
        )
        return (clauses.order * 3 + field) * 2 + int(extrapose)
