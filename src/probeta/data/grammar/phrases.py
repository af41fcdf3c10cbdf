"""Draws the noun phrases of clauses: nouns that suit the verb, articles, adjectives, owners, pronouns."""

from __future__ import annotations

import numpy as np

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.derivation import NO_GAP, OBJECT, PLACE, RECIPIENT, SUBJECT, Clauses, Flags, Phrases
from probeta.data.grammar.draws import Ints
from probeta.data.grammar.frequencies import FRAMES, OBJECT_FRAMES, PLURAL_SHARE, Frequencies
from probeta.data.grammar.lexicon import Frame
from probeta.data.grammar.tables import EVERY, PRONOUN_PERSON, THE, TWO, A, Prepositions

_THIRD_PERSONS = np.array([2, 3, 5])


class PhraseSampler:
    """Draws the `Phrases` of one role for those of the given clauses that have it."""

    def __init__(self, frequencies: Frequencies, prepositions: Prepositions) -> None:
        self.frequencies, self.prepositions = frequencies, prepositions

    def subjects(self, rng: np.random.Generator, clauses: Clauses) -> Phrases:
        """Of every clause whose relative pronoun is not the subject; sets the person of the verb."""
        context = clauses.context
        rows = np.flatnonzero(context.gap != SUBJECT)
        pronoun = rng.random(len(rows), dtype=np.float32) < 0.3
        subject = self._phrases(rng, clauses, rows, SUBJECT, clauses.verb[rows], pronoun)
        head = np.where(context.gap != NO_GAP, context.head, -1)[rows]
        subject.noun = self._other_than(head, subject.noun, clauses.verb[rows])
        person = np.where(subject.plural == 1, 5, 2)
        clauses.person[rows] = np.where(pronoun, PRONOUN_PERSON[subject.pronoun], person)
        return subject

    def objects(self, rng: np.random.Generator, clauses: Clauses, subject: Phrases) -> Phrases:
        """Direct, dative and prepositional objects, as the verb takes them."""
        frame = self.frequencies.frame[clauses.verb]
        rows = np.flatnonzero(np.isin(frame, OBJECT_FRAMES) & (clauses.context.gap != OBJECT))
        verb, frame = clauses.verb[rows], frame[rows]
        ditransitive = frame == FRAMES[Frame.DITRANSITIVE]
        pronoun = (rng.random(len(rows), dtype=np.float32) < 0.2) & self.frequencies.object_person[verb] & ~ditransitive
        phrases = self._phrases(rng, clauses, rows, OBJECT, len(lex.VERBS) + verb, pronoun)
        # "gives her books": her can be the recipient or the owner, so a ditransitive object has an article.
        bare = ditransitive & (phrases.article == A) & (phrases.plural == 1)
        phrases.article[bare] = THE
        phrases.owner[bare] = -1
        phrases.preposition = self.prepositions.of_verb[verb]
        phrases.case = self.prepositions.case[verb]
        phrases.kein = clauses.negated[rows] & (phrases.article == A) & ~pronoun
        phrases.kein &= frame != FRAMES[Frame.PREPOSITIONAL]
        self._distinguish(phrases, subject, clauses, len(lex.VERBS) + verb)
        return phrases

    def recipients(self, rng: np.random.Generator, clauses: Clauses) -> Phrases:
        """Whom something is given to, in the dative."""
        ditransitive = self.frequencies.frame[clauses.verb] == FRAMES[Frame.DITRANSITIVE]
        rows = np.flatnonzero(ditransitive & (clauses.context.gap != RECIPIENT))
        pronoun = rng.random(len(rows), dtype=np.float32) < 0.35
        # Only third persons are safe beside every subject.
        phrases = self._phrases(rng, clauses, rows, RECIPIENT, 2 * len(lex.VERBS) + clauses.verb[rows], pronoun)
        phrases.pronoun = np.where(pronoun, _THIRD_PERSONS[phrases.pronoun % 3], -1)
        phrases.case[:] = 2
        # *gibt einem Mann das Buch nicht* means a certain man; nobody says it of any man.
        phrases.article = np.where((phrases.article == A) & clauses.negated[rows], THE, phrases.article)
        return phrases

    def places(self, rng: np.random.Generator, clauses: Clauses, trailing: Flags) -> Phrases:
        """Where it happens: *in the garden*."""
        takes = self.frequencies.takes_place[clauses.verb] & ~trailing
        rows = np.flatnonzero(takes & (rng.random(len(clauses), dtype=np.float32) < 0.25))
        preposition = self.frequencies.places.draw(rng, np.zeros(len(rows), dtype=np.int64))
        no_pronoun = np.zeros(len(rows), dtype=bool)
        phrases = self._phrases(rng, clauses, rows, PLACE, 3 * len(lex.VERBS) + preposition, no_pronoun)
        phrases.preposition = 1 + preposition
        phrases.case[:] = 2
        return phrases

    def _phrases(
        self, rng: np.random.Generator, clauses: Clauses, rows: Ints, role: int, noun_list: Ints, pronoun: Flags
    ) -> Phrases:
        """Noun phrases of `role` for the clauses `rows`: nouns from `noun_list (m,)`, pronouns where `pronoun`."""
        m = len(rows)
        u = rng.random((4, m), dtype=np.float32)
        noun = self.frequencies.nouns.draw(rng, noun_list)
        plural = (u[0] < (PLURAL_SHARE if role != PLACE else 0.1)).astype(np.int64)
        article = self.frequencies.articles.draw(rng, np.zeros(m, dtype=np.int64))
        awkward = (article == EVERY) & (plural == 1)  # "every dogs"
        awkward |= (article >= TWO) & (plural == 0)  # "two dog"
        awkward |= (article >= EVERY) & clauses.negated[rows]  # the scope of "not every" is unclear
        article = np.where(awkward, THE, article)
        owned = (article == THE) & self.frequencies.may_be_owned[noun] & ~pronoun & (u[1] < 0.12)
        return Phrases(
            clause=rows,
            role=np.full(m, role),
            noun=noun,
            plural=plural,
            article=article,
            adjective=np.where((u[2] < 0.3) & ~pronoun, self.frequencies.adjectives.draw(rng, noun), -1),
            owner=np.where(owned, self.frequencies.persons.draw(rng, np.zeros(m, dtype=np.int64)), -1),
            owner_plural=(u[3] < PLURAL_SHARE).astype(np.int64),
            owner_article=self.frequencies.owner_articles.draw(rng, np.zeros(m, dtype=np.int64)),
            pronoun=np.where(pronoun, self.frequencies.pronouns.draw(rng, np.zeros(m, dtype=np.int64)), -1),
            preposition=np.zeros(m, dtype=np.int64),
            case=np.zeros(m, dtype=np.int64),
            kein=np.zeros(m, dtype=bool),
            restricted=np.zeros(m, dtype=bool),
        )

    def _distinguish(self, phrases: Phrases, subject: Phrases, clauses: Clauses, noun_list: Ints) -> None:
        """No *the man sees the man*, no *I see me*, no *we see me*."""
        taken = np.where(clauses.context.gap == SUBJECT, clauses.context.head, -1)
        taken[subject.clause] = np.where(subject.pronoun < 0, subject.noun, -1)
        phrases.noun = self._other_than(taken[phrases.clause], phrases.noun, noun_list)
        first_or_second = np.isin(clauses.person, (0, 1, 3))[phrases.clause]
        clash = first_or_second & np.isin(phrases.pronoun, (0, 1, 4))
        phrases.pronoun = np.where(clash, 2 + phrases.clause % 2, phrases.pronoun)

    def _other_than(self, taken: Ints, noun: Ints, noun_list: Ints) -> Ints:
        """`noun`, or the next one of its list where it is the one `taken`."""
        same = np.flatnonzero(noun == taken)
        items, sizes = self.frequencies.nouns.items[noun_list[same]], self.frequencies.nouns.sizes[noun_list[same]]
        following = (np.argmax(items == noun[same, None], axis=1) + 1) % sizes
        noun = noun.copy()
        noun[same] = items[np.arange(len(same)), following]
        return noun
