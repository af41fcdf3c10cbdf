"""Pairs of main clauses that differ in one English word, and the German words that this must change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.corpus import Pair
from probeta.data.grammar.derivation import SUBJECT, Clauses, Context, Phrases
from probeta.data.grammar.draws import Ints, WeightedLists
from probeta.data.grammar.frequencies import SIMPLE
from probeta.data.grammar.generator import CHUNK, Grammar, _engine
from probeta.data.grammar.lexicon import Frame, Kind
from probeta.data.grammar.linearizer import Level
from probeta.data.grammar.tables import EVERY, THE, THIS


@dataclass(frozen=True)
class Counterfactual:
    """Two pairs of as many words each."""

    before: Pair
    after: Pair
    position: int
    """Of the English word that differs."""
    must: frozenset[int]
    """Positions of the German words that differ."""


Change = Callable[[np.random.Generator, Clauses, Phrases], None]


def _gender(rng: np.random.Generator, clauses: Clauses, phrases: Phrases) -> None:
    """Each noun is another of its kind, of another gender."""
    phrases.noun = _OTHER_GENDER.draw(rng, phrases.noun)


def _number(rng: np.random.Generator, clauses: Clauses, phrases: Phrases) -> None:
    """Singular to plural and back, where the English article is the same; a subject takes its verb along."""
    rows = np.flatnonzero(
        (phrases.pronoun < 0) & ((phrases.article == THE) | ((phrases.article > THIS) & (phrases.article < EVERY)))
    )
    phrases.plural[rows] = 1 - phrases.plural[rows]
    subjects = rows[phrases.role[rows] == SUBJECT]
    clauses.person[phrases.clause[subjects]] = np.where(phrases.plural[subjects] == 1, 5, 2)


def _tense(rng: np.random.Generator, clauses: Clauses, phrases: Phrases) -> None:
    """Present to past and back, without an adverb of time."""
    present, past = SIMPLE
    rows = (clauses.time < 0) & (clauses.front_adverb < len(lex.SENTENCE_ADVERBS))
    swapped = np.where(clauses.construction == present, past, present)
    clauses.construction = np.where(rows & np.isin(clauses.construction, SIMPLE), swapped, clauses.construction)


def _verb(rng: np.random.Generator, clauses: Clauses, phrases: Phrases) -> None:
    """Another verb that takes what this one takes."""
    clauses.verb = _OTHER_VERB.draw(rng, clauses.verb)


CHANGES: dict[str, Change] = {"gender": _gender, "number": _number, "tense": _tense, "verb": _verb}


def _plain(verb: lex.Verb) -> bool:
    return verb.frame in (Frame.INTRANSITIVE, Frame.ACCUSATIVE) and not any(sign in verb.english for sign in ">+")


def _takes(kinds: Kind, others: Kind) -> bool:
    return kinds & others == kinds


_OTHER_GENDER = WeightedLists(
    [
        [i for i, other in enumerate(lex.NOUNS) if other.kind == noun.kind and other.gender != noun.gender] or [n]
        for n, noun in enumerate(lex.NOUNS)
    ]
)
_OTHER_VERB = WeightedLists(
    [
        [
            i
            for i, other in enumerate(lex.VERBS)
            if _plain(verb) and _plain(other) and other is not verb and other.frame is verb.frame
            and _takes(verb.subject, other.subject) and _takes(verb.object, other.object)
            and (other.place or not verb.place) and (verb.stative or not other.stative)
        ] or [v]
        for v, verb in enumerate(lex.VERBS)
    ]
)  # fmt: skip


def counterfactuals(grammar: Grammar, change: str, n: int, seed: int) -> list[Counterfactual]:
    """The first `n` of the stream of `seed` that differ in one English word and keep the German order.

    `change` is one of `CHANGES`: the gender of a noun, a number, the tense, the verb.
    """
    found: list[Counterfactual] = []
    for number in range(100):
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, list(CHANGES).index(change), number])))
        for pair in _chunk(grammar, CHANGES[change], rng):
            found.append(pair)
            if len(found) == n:
                return found
    return found


def _chunk(
    grammar: Grammar, change: Change, rng: np.random.Generator, size: int = CHUNK // 4
) -> Iterator[Counterfactual]:
    engine = _engine(grammar.embedding, grammar.second_person, grammar.lowercase)
    clauses, phrases, _ = engine.sampler.draw(rng, Context.main(size), False)
    others = deepcopy(clauses), deepcopy(phrases)
    change(rng, *others)
    if change in (_gender, _number):
        _keep_one_phrase(rng, phrases, others[1], clauses, others[0])
    before, after = (
        engine.linearize(
            [Level(c, engine.realizer.fill(c, p, grammar.extrapose), np.arange(size), engine.comma)], size, 400
        )
        for c, p in ((clauses, phrases), others)
    )
    same = (before.source_lengths == after.source_lengths) & (before.target_lengths == after.target_lengths)
    short = (before.source_lengths <= grammar.max_length) & (before.source_lengths >= grammar.min_length)
    differ = [_pad_differences(a, b) for a, b in ((before.source, after.source), (before.target, after.target))]
    for i in np.flatnonzero(same & short & (differ[0].sum(1) == 1)).tolist():
        one, other = before[i], after[i]
        if one.alignment == other.alignment:
            must = frozenset(np.flatnonzero(differ[1][i]).tolist())
            yield Counterfactual(one, other, int(differ[0][i].argmax()), must)


def _keep_one_phrase(
    rng: np.random.Generator, before: Phrases, after: Phrases, clauses: Clauses, others: Clauses
) -> None:
    """Of a clause's phrases one alone changes: those of a drawn role."""
    role = rng.integers(0, 4, len(clauses))[before.clause]
    back = before.role != role
    for name in ("noun", "plural"):
        getattr(after, name)[back] = getattr(before, name)[back]
    subject = np.flatnonzero(back & (before.role == SUBJECT))
    others.person[before.clause[subject]] = clauses.person[before.clause[subject]]


def _pad_differences(a: Ints, b: Ints) -> Ints:
    width = max(a.shape[1], b.shape[1])
    differ: Ints = np.pad(a, ((0, 0), (0, width - a.shape[1]))) != np.pad(b, ((0, 0), (0, width - b.shape[1])))
    return differ
