"""The generator: chunks of sentence pairs from a seed, without end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, pairwise

import numpy as np

from probeta.data.grammar.corpus import GrammarCorpus
from probeta.data.grammar.derivation import Context
from probeta.data.grammar.draws import Ints
from probeta.data.grammar.linearizer import Level
from probeta.data.grammar.realizer import Realizer
from probeta.data.grammar.sampler import Sampler
from probeta.data.grammar.tables import EnglishTables, GermanTables, Prepositions, Words
from probeta.errors import ConfigError, check_whole, check_whole_or_null

CHUNK = 16_384


@dataclass(frozen=True)
class Grammar:
    """English–German pairs with gold alignments. The same settings and seed give the same pairs.

    Longer and more nested sentences come from `max_depth` and `embedding`; with `extrapose=False`
    relative clauses stay at their noun inside the German sentence bracket, which moves the verb further
    away. The four bounds keep only the pairs within them (see `GrammarCorpus.reordering` for the distance).

    Raises `ConfigError` where a setting is out of its range.

    Args:
        max_depth: clauses within clauses: 0 for main clauses alone.
        embedding: the share of clauses, 0 to 1, that have a relative clause at the object or an adverbial
            clause, and about 0.4 of it one at the subject; a verb of saying has its *dass* clause at any share,
            also at 0.
        extrapose: whether relative clauses may stand behind the German sentence bracket.
        second_person: with *you* and *your*, as *du* and *dein*: some 150 more German verb forms, each of them
            rare.
        lowercase: whether case is dropped.
        min_length, max_length: bounds of the words of the English sentence with its punctuation marks, 1 to
            400; the German one may not be longer than 1.5 times the upper.
        min_reordering, max_reordering: bounds of the longest jump on the source between neighbouring target
            words; null for no upper bound.
    """

    max_depth: int = 2
    embedding: float = 0.35
    extrapose: bool = True
    second_person: bool = False
    lowercase: bool = True
    min_length: int = 1
    max_length: int = 24
    min_reordering: int = 0
    max_reordering: int | None = None

    def __post_init__(self) -> None:
        check_whole("data.max_depth", self.max_depth, 0)
        if not 0.0 <= self.embedding <= 1.0:
            raise ConfigError.value("data.embedding", self.embedding, "a share, 0 <= embedding <= 1")
        check_whole("data.max_length", self.max_length, 4, 400)
        check_whole("data.min_length", self.min_length, 1, self.max_length)
        check_whole("data.min_reordering", self.min_reordering, 0)
        check_whole_or_null("data.max_reordering", self.max_reordering, self.min_reordering, "for no bound")

    def chunk(self, number: int, *seed: int) -> GrammarCorpus:
        """Chunk `number` of the endless stream of `seed`: what of `CHUNK` derivations is within the bounds."""
        rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([*seed, number])))
        engine = _engine(self.embedding, self.second_person, self.lowercase)
        corpus = engine.generate(rng, CHUNK, self.max_depth, self.extrapose, self.max_length)
        keep = corpus.source_lengths >= self.min_length
        if self.min_reordering > 0 or self.max_reordering is not None:
            distance = corpus.reordering()
            keep &= distance >= self.min_reordering
            keep &= distance <= (self.max_reordering if self.max_reordering is not None else distance)
        return corpus if keep.all() else corpus.select(np.flatnonzero(keep))

    def stream(self, *seed: int) -> Iterator[GrammarCorpus]:
        """Chunks without end, the same for the same `seed`: whole numbers from 0."""
        return (self.chunk(number, *seed) for number in count())

    def sample(self, n: int, seed: int) -> GrammarCorpus:
        """The first `n` pairs of the stream; `sample(n)` begins `sample(m)` for `n < m`."""
        parts: list[GrammarCorpus] = []
        drawn = 0
        for number, part in enumerate(self.stream(seed)):
            parts.append(part)
            drawn += len(part)
            if drawn >= n:
                break
            if number >= 10 and drawn < number * CHUNK * 1e-4:
                raise ConfigError(
                    f"only {drawn} of {(number + 1) * CHUNK} sentences are within data.min_length={self.min_length}, "
                    f"data.max_length={self.max_length}, data.min_reordering={self.min_reordering} and "
                    f"data.max_reordering={self.max_reordering} at data.max_depth={self.max_depth}: widen them"
                )
        return GrammarCorpus.concatenate(parts).select(np.arange(n))


class _Engine:
    """The compiled tables, shared by all chunks."""

    def __init__(self, embedding: float, second_person: bool, lowercase: bool) -> None:
        english, german = EnglishTables(), GermanTables()
        prepositions = Prepositions(english.words, german.words)
        self.comma = int(german.comma)
        self.sampler = Sampler(embedding, second_person, prepositions)
        self.realizer = Realizer(english, german, prepositions)
        self.lowercase = lowercase
        self.source_words, self.source_case = _casing(english.words, lowercase)
        self.target_words, self.target_case = _casing(german.words, lowercase)

    def generate(
        self, rng: np.random.Generator, n: int, max_depth: int, extrapose: bool, max_length: int
    ) -> GrammarCorpus:
        return self.linearize(self._levels(rng, n, max_depth, extrapose), n, max_length)

    def linearize(self, levels: list[Level], n: int, max_length: int) -> GrammarCorpus:
        """The sentences of `n` derivations that are short enough; `levels[0]` are their main clauses."""
        below: Level | None = None
        for level in reversed(levels):
            level.measure(below)
            below = level
        above: Level | None = None
        for level in levels:
            level.place(above)
            above = level
        top = levels[0]
        kept = (top.english_length <= max_length) & (top.german_length <= max_length * 3 // 2)
        new = np.where(kept, np.cumsum(kept) - 1, -1)
        rows = np.flatnonzero(kept)
        source_lengths, target_lengths = top.english_length[rows], top.german_length[rows]
        source = self._words(levels, new, source_lengths, "english", self.source_case)
        target = self._words(levels, new, target_lengths, "german", self.target_case)
        links, link_offsets = self._links(levels, new, len(rows))
        clauses, clause_offsets = self._clauses(levels, new, len(rows))
        depths = np.zeros(n, dtype=np.int64)
        for depth, level in enumerate(levels):
            depths[level.sentence] = depth
        return GrammarCorpus(
            self.source_words, self.target_words, source, target, source_lengths, target_lengths,
            links, link_offsets, clauses, clause_offsets, depths[rows],
        )  # fmt: skip

    def _levels(self, rng: np.random.Generator, n: int, max_depth: int, extrapose: bool) -> list[Level]:
        levels: list[Level] = []
        context: Context | None = Context.main(n)
        sentence = np.arange(n)
        while context is not None:
            clauses, phrases, below = self.sampler.draw(rng, context, len(levels) < max_depth)
            filled = self.realizer.fill(clauses, phrases, extrapose)
            levels.append(Level(clauses, filled, sentence, self.comma))
            sentence = sentence[below.parent] if below is not None else sentence
            context = below
        return levels

    def _words(self, levels: list[Level], new: Ints, lengths: Ints, language: str, case: Ints) -> Ints:
        width = int(lengths.max(initial=0))
        plain = np.zeros((len(lengths), width), dtype=np.int16)
        for level in levels:
            ids = getattr(level.filled, language)
            slots, rows = np.nonzero(ids)
            sentence = new[level.sentence[rows]]
            inside = sentence >= 0
            slots, rows, sentence = slots[inside], rows[inside], sentence[inside]
            position = getattr(level, f"{language}_position")[slots, rows]
            plain[sentence, position] = ids[slots, rows]
        out: Ints = case[0][plain]
        if not self.lowercase and width:
            out[:, 0] = case[1][out[:, 0]]
        return out

    @staticmethod
    def _links(levels: list[Level], new: Ints, n: int) -> tuple[Ints, Ints]:
        tables = [level.links() for level in levels]
        tables += [above.comma_links(below) for above, below in pairwise(levels)]
        sentence, source, target, sure = (np.concatenate(column) for column in zip(*tables, strict=True))
        sentence = new[sentence]
        inside = np.flatnonzero(sentence >= 0)
        sentence = sentence[inside]
        order = inside[np.argsort(sentence.astype(np.uint16), kind="stable")]
        links = np.stack([source[order], target[order], sure[order]], axis=1).astype(np.int16)
        return links, np.concatenate([[0], np.cumsum(np.bincount(sentence, minlength=n))])

    @staticmethod
    def _clauses(levels: list[Level], new: Ints, n: int) -> tuple[Ints, Ints]:
        sentence = new[np.concatenate([level.sentence for level in levels])]
        verb = np.concatenate([level.clauses.verb for level in levels])
        construction = np.concatenate([level.clauses.construction for level in levels])
        inside = np.flatnonzero(sentence >= 0)
        order = inside[np.argsort(sentence[inside].astype(np.uint16), kind="stable")]
        clauses = np.stack([verb[order], construction[order]], axis=1).astype(np.int16)
        return clauses, np.concatenate([[0], np.cumsum(np.bincount(sentence[inside], minlength=n))])


@lru_cache(maxsize=8)
def _engine(embedding: float, second_person: bool, lowercase: bool) -> _Engine:
    return _Engine(embedding, second_person, lowercase)


def _casing(words: Words, lowercase: bool) -> tuple[tuple[str, ...], Ints]:
    """The words that go out, and `(2, words)`: each word's id among them, and that at a sentence's start."""
    out = Words()
    plain = out.array([word.lower() if lowercase else word for word in words.ids])
    first = out.array([word.lower() if lowercase else word[:1].upper() + word[1:] for word in words.ids])
    starts = np.zeros(len(out.ids), dtype=np.int16)
    starts[plain] = first
    table = np.zeros((2, max(len(out.ids), len(plain))), dtype=np.int16)
    table[0, : len(plain)], table[1, : len(out.ids)] = plain, starts
    return tuple(out.ids), table
