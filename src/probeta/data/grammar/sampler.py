"""Draws derivations: which verb, nouns, tense, and embedded clauses, for thousands of clauses at once.

Nothing here knows word order or word forms.
"""

from __future__ import annotations

import numpy as np

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.constructions import CONSTRUCTIONS
from probeta.data.grammar.derivation import (
    ADVERBIAL,
    COMPLEMENT,
    FRONT_CLAUSE,
    NO_GAP,
    OBJECT,
    OBJECT_CLAUSE,
    SUBJECT,
    SUBJECT_CLAUSE,
    Clauses,
    Context,
    Flags,
    Phrases,
)
from probeta.data.grammar.frequencies import (
    BEFORE,
    FRAMES,
    FUTURE,
    IF,
    NEGATED_SHARE,
    SIMPLE,
    SOON,
    TOMORROW,
    Frequencies,
)
from probeta.data.grammar.lexicon import Frame
from probeta.data.grammar.phrases import PhraseSampler
from probeta.data.grammar.syntax import EMBEDDED, Order
from probeta.data.grammar.tables import Prepositions

_PAST = np.array([construction.past for construction in CONSTRUCTIONS], dtype=np.int64)


class Sampler:
    """Draws `Clauses` and `Phrases` from the lexicon; `embedding` is the share of clauses that embed one."""

    def __init__(self, embedding: float, second_person: bool, prepositions: Prepositions) -> None:
        self.embedding = embedding
        self.frequencies = Frequencies(second_person)
        self.phrases = PhraseSampler(self.frequencies, prepositions)

    def draw(
        self, rng: np.random.Generator, context: Context, may_embed: bool
    ) -> tuple[Clauses, Phrases, Context | None]:
        """The clauses of one level, their noun phrases, and the context of the level below (`None` at the end)."""
        clauses = self._clauses(rng, context, may_embed)
        subject = self.phrases.subjects(rng, clauses)
        object_ = self.phrases.objects(rng, clauses, subject)
        trailing = self._children(rng, clauses, subject, object_, may_embed)
        self._adverbs(rng, clauses, trailing)
        recipient = self.phrases.recipients(rng, clauses)
        place = self.phrases.places(rng, clauses, trailing)
        self._predicates(rng, clauses, subject)
        phrases = Phrases.concatenate([subject, object_, recipient, place])
        phrases.restricted = np.where(
            phrases.role == SUBJECT,
            clauses.children[phrases.clause, SUBJECT_CLAUSE],
            (phrases.role == OBJECT) & clauses.children[phrases.clause, OBJECT_CLAUSE],
        )
        return clauses, phrases, self._below(rng, clauses, phrases) if clauses.children.any() else None

    def _clauses(self, rng: np.random.Generator, context: Context, may_embed: bool) -> Clauses:
        n = len(context)
        relative = context.gap != NO_GAP
        verb_list = np.where(relative, 2 + context.gap * len(lex.NOUNS) + context.head, 0 if may_embed else 1)
        verb = self.frequencies.verbs.draw(rng, verb_list)
        stative = self.frequencies.stative[verb]
        construction = self.frequencies.constructions.draw(
            rng, 3 * stative + (context.past == 0) + 2 * (context.past == 1)
        )
        future_if = (construction == FUTURE) & (context.conjunction == IF)  # "if the man will sleep"
        construction = np.where(future_if, 0, construction)
        construction = np.where(context.construction >= 0, context.construction, construction)
        negated = (rng.random(n, dtype=np.float32) < NEGATED_SHARE) & (context.conjunction < BEFORE)
        return Clauses(
            context=context,
            verb=verb,
            construction=construction,
            negated=negated,
            person=np.where(context.head_plural == 1, 5, 2),
            order=np.where(context.slot >= 0, int(Order.FINAL), int(Order.STRAIGHT)),
            predicate=np.full(n, -1),
            time=np.full(n, -1),
            frequency=np.full(n, -1),
            front_adverb=np.full(n, -1),
            children=np.zeros((n, len(EMBEDDED)), dtype=bool),
        )

    def _predicates(self, rng: np.random.Generator, clauses: Clauses, subject: Phrases) -> None:
        noun = clauses.context.head.copy()
        noun[subject.clause] = np.where(subject.pronoun < 0, subject.noun, 0)
        copula = self.frequencies.frame[clauses.verb] == FRAMES[Frame.COPULAR]
        clauses.predicate = np.where(copula, self.frequencies.adjectives.draw(rng, noun), -1)

    def _children(
        self, rng: np.random.Generator, clauses: Clauses, subject: Phrases, object_: Phrases, may_embed: bool
    ) -> Flags:
        """Which clauses embed what; `(n,)` bool: a child ends the clause that adverbs would make ambiguous.

        In `the man reads the book that the woman loves today`, *today* would belong to either clause.
        """
        n, children = len(clauses), clauses.children
        if not may_embed:
            return np.zeros(n, dtype=bool)
        u = rng.random((3, n), dtype=np.float32)
        rows = subject.clause[(subject.pronoun < 0) & (subject.owner < 0)]
        children[rows, SUBJECT_CLAUSE] = u[0][rows] < 0.4 * self.embedding
        complement = self.frequencies.frame[clauses.verb] == FRAMES[Frame.CLAUSAL]
        children[:, COMPLEMENT] = complement
        other = ~complement & (u[1] < self.embedding)
        free = np.zeros(n, dtype=bool)
        free[object_.clause[(object_.pronoun < 0) & (object_.owner < 0)]] = True
        children[:, OBJECT_CLAUSE] = other & free & (u[2] < 0.6)
        rest = other & ~children[:, OBJECT_CLAUSE]
        # A clause that is subordinate already gets fewer clauses of its own.
        main = clauses.context.slot < 0
        children[:, FRONT_CLAUSE] = rest & main & (u[2] > 0.8)
        children[:, ADVERBIAL] = rest & ~children[:, FRONT_CLAUSE] & (main | (u[2] > 0.8))
        trailing: Flags = children[:, OBJECT_CLAUSE] | complement
        return trailing

    def _adverbs(self, rng: np.random.Generator, clauses: Clauses, trailing: Flags) -> None:
        n = len(clauses)
        u = rng.random((5, n), dtype=np.float32)
        time = self.frequencies.times.draw(rng, clauses.construction)
        time = np.where(clauses.negated & (time == SOON), TOMORROW, time)
        stative = self.frequencies.stative[clauses.verb]
        main, front_clause = clauses.context.slot < 0, clauses.children[:, FRONT_CLAUSE]
        fronted = main & ~front_clause & (u[0] < 0.25)
        sentence_adverb = (u[1] * len(lex.SENTENCE_ADVERBS)).astype(np.int64) % len(lex.SENTENCE_ADVERBS)
        adverb = np.where((u[2] < 0.5) | stative, sentence_adverb, len(lex.SENTENCE_ADVERBS) + time)
        clauses.front_adverb = np.where(fronted, adverb, -1)
        clauses.order[fronted | (main & front_clause)] = int(Order.INVERTED)
        has_time = ~fronted & ~trailing & ~stative & (u[2] < 0.2)
        clauses.time = np.where(has_time, time, -1)
        often = ~clauses.negated & ~has_time & ~stative & ~(fronted & (u[2] >= 0.5)) & (u[3] < 0.12)
        frequency = (u[4] * len(lex.FREQUENCIES)).astype(np.int64) % len(lex.FREQUENCIES)
        clauses.frequency = np.where(often, frequency, -1)

    def _below(self, rng: np.random.Generator, clauses: Clauses, phrases: Phrases) -> Context:
        """The context of the embedded clauses."""
        parent, slot = np.nonzero(clauses.children)
        n = len(parent)
        heads = np.zeros((3, len(clauses)), dtype=np.int64)
        plurals = np.zeros((3, len(clauses)), dtype=np.int64)
        restricted = np.flatnonzero(phrases.restricted)
        role, clause = phrases.role[restricted], phrases.clause[restricted]
        heads[role, clause], plurals[role, clause] = phrases.noun[restricted], phrases.plural[restricted]
        relative = (slot == SUBJECT_CLAUSE) | (slot == OBJECT_CLAUSE)
        of_role = np.where(slot == OBJECT_CLAUSE, OBJECT, SUBJECT)
        head = np.where(relative, heads[of_role, parent], 0)
        construction = clauses.construction[parent]
        simple = np.isin(construction, SIMPLE)
        drawn = self.frequencies.conjunctions.draw(rng, simple.astype(np.int64))
        conjunction = np.where(relative, 0, np.where(slot == COMPLEMENT, 1, drawn))
        return Context(
            parent=parent,
            slot=slot,
            conjunction=conjunction,
            gap=np.where(relative, self.frequencies.gaps.draw(rng, head), NO_GAP),
            head=head,
            head_plural=np.where(relative, plurals[of_role, parent], 0),
            past=_PAST[construction],
            construction=np.where(conjunction >= BEFORE, construction, np.full(n, -1)),
        )
