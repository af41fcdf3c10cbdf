"""How often each choice is made: the lexicon as lists of weighted items."""

from __future__ import annotations

import numpy as np

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.constructions import CONSTRUCTIONS
from probeta.data.grammar.derivation import OBJECT, RECIPIENT, SUBJECT
from probeta.data.grammar.draws import WeightedLists, repeat
from probeta.data.grammar.lexicon import Frame, Kind
from probeta.data.grammar.tables import ARTICLES, EVERY, PRONOUNS, THIS

FRAMES = {frame: i for i, frame in enumerate(Frame)}
OBJECT_FRAMES = [FRAMES[f] for f in Frame if f not in (Frame.INTRANSITIVE, Frame.CLAUSAL, Frame.COPULAR)]
SIMPLE = (0, 1)
"""The constructions of one verb, present and past: what goes with *before* and *while*."""
IF, BEFORE, WHILE = 4, 5, 6
FUTURE = [construction.name for construction in CONSTRUCTIONS].index("future")
TOMORROW, SOON = (list(dict(lex.TIMES)).index(name) for name in ("tomorrow", "soon"))
PLURAL_SHARE, NEGATED_SHARE = 0.3, 0.2


class Frequencies:
    """Everything that is drawn by the lexicon: verbs, nouns, adjectives, articles, tenses, conjunctions."""

    def __init__(self, second_person: bool) -> None:
        verbs, nouns = lex.VERBS, lex.NOUNS
        self.frame = np.array([FRAMES[verb.frame] for verb in verbs])
        self.stative = np.array([verb.stative for verb in verbs])
        self.takes_place = np.array([verb.place for verb in verbs])
        self.object_person = np.array([bool(verb.object & Kind.PERSON) for verb in verbs])
        self.may_be_owned = np.array([not noun.kind & (Kind.PERSON | lex.PLACE) for noun in nouns])
        frequent = {Frame.COPULAR: 4, Frame.CLAUSAL: 2}
        weights = [frequent.get(verb.frame, 1) for verb in verbs]
        plain = [0 if verb.frame is Frame.CLAUSAL else w for verb, w in zip(verbs, weights, strict=True)]
        gapped = [self._verbs_with_gap(gap, noun) for gap in (SUBJECT, OBJECT, RECIPIENT) for noun in nouns]
        self.verbs = WeightedLists([repeat(weights), repeat(plain), *gapped])
        shares = {SUBJECT: 5, OBJECT: 4, RECIPIENT: 1}
        self.gaps = WeightedLists(
            [[g for g, w in shares.items() if self._verbs_with_gap(g, noun) for _ in range(w)] for noun in nouns]
        )
        self.nouns = WeightedLists(
            [
                *([i for i, noun in enumerate(nouns) if noun.kind & verb.subject] for verb in verbs),
                *([i for i, noun in enumerate(nouns) if noun.kind & verb.object] for verb in verbs),
                *([i for i, noun in enumerate(nouns) if noun.kind & Kind.PERSON] for verb in verbs),
                *([i for i, noun in enumerate(nouns) if noun.kind & kinds] for _, _, kinds in lex.PREPOSITIONS),
            ]
        )
        self.adjectives = WeightedLists(
            [[i for i, a in enumerate(lex.ADJECTIVES) if a.kinds & noun.kind] for noun in nouns]
        )
        self.persons = WeightedLists([[i for i, noun in enumerate(nouns) if noun.kind is Kind.PERSON]])
        shares_of_articles = dict.fromkeys(ARTICLES, 3) | {"the": 45, "a": 24, "this": 8, "every": 4}
        shares_of_articles["your"] *= second_person
        self.articles = WeightedLists([repeat([shares_of_articles[name] for name in ARTICLES])])
        owners = {name: shares_of_articles[name] for name in ARTICLES[THIS + 1 : EVERY]} | {"the": 30}
        self.owner_articles = WeightedLists([repeat([owners.get(name, 0) for name in ARTICLES])])
        # *I* has verb forms of its own, which would be rare otherwise.
        self.pronouns = WeightedLists([repeat([{"I": 3, "you": 3 * second_person}.get(name, 2) for name in PRONOUNS])])
        self.constructions = WeightedLists(
            [
                repeat([c.weight if c.past in past and (c.stative or not stative) else 0 for c in CONSTRUCTIONS])
                for stative in (False, True)
                for past in ((False, True), (False,), (True,))
            ]
        )
        names = [english for english, _ in lex.TIMES]
        self.times = WeightedLists([[names.index(name) for name in c.times] for c in CONSTRUCTIONS])
        self.places = WeightedLists([[0, 0, 0, 0, 1, 2, 3]])
        self.conjunctions = WeightedLists([[2, 3, IF], [2, 3, IF, BEFORE, WHILE]])

    @staticmethod
    def _verbs_with_gap(gap: int, noun: lex.Noun) -> list[int]:
        items = []
        for i, verb in enumerate(lex.VERBS):
            kinds = (verb.subject, verb.object, Kind.PERSON)[gap]
            fits = (gap != RECIPIENT or verb.frame is Frame.DITRANSITIVE) and verb.frame is not Frame.CLAUSAL
            if fits and noun.kind & kinds:
                items += [i] * (3 if verb.frame is Frame.COPULAR else 1)
        return items
