"""Training, validation and test sentences: at random, by length, or by composition; never the same twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.constructions import CONSTRUCTIONS, VerbForm
from probeta.data.grammar.corpus import GrammarCorpus
from probeta.data.grammar.generator import Grammar
from probeta.data.grammar.lexicon import Frame
from probeta.errors import ConfigError

KINDS = ("iid", "length", "composition")
HELD_OUT_SHARE = 0.25
PATIENCE = 20
"""Chunks in a row with hardly a new pair after which the grammar counts as exhausted."""
HARDLY = 10

Rule = Callable[[GrammarCorpus], NDArray[np.bool_]]


def held_out_pairs(seed: int) -> NDArray[np.bool_]:
    """`(verbs, constructions)`: the pairs of a verb and a construction that training never shows.

    A quarter of the pairs of a non-copular verb with the perfect or pluperfect, and of those with the
    future or a modal. Either keeps, for every verb, a construction with the same word form, so that a
    test sentence need have no unseen German word: it asks for a known participle or infinitive in a known
    construction that were not seen together. Of a small training set (1,500 pairs, not 6,000) some words are
    missing by chance, which the data's note says. What counts is the German verb: *lachen* is `laugh` and
    `laugh about`.
    """
    rng = np.random.default_rng([seed, 0xC0])
    held = np.zeros((len(lex.VERBS), len(CONSTRUCTIONS)), dtype=bool)
    rows: dict[str, list[int]] = {}
    for row, verb in enumerate(lex.VERBS):
        if verb.frame is not Frame.COPULAR:
            rows.setdefault(verb.german, []).append(row)
    for form in (VerbForm.PARTICIPLE, VerbForm.BASE):
        for same in rows.values():
            stative = any(lex.VERBS[row].stative for row in same)
            columns = [i for i, c in enumerate(CONSTRUCTIONS) if c.form is form and (c.stative or not stative)]
            most = max(1, round(HELD_OUT_SHARE * len(columns)))
            if len(columns) > most and rng.random() < HELD_OUT_SHARE * len(columns) / most:
                held[np.ix_(np.array(same), rng.choice(columns, most, replace=False))] = True
    return held


def split_corpus(
    grammar: Grammar, kind: str, seed: int, sizes: dict[str, int], length_cut: int = 12
) -> dict[str, GrammarCorpus]:
    """`sizes[split]` pairs of each split, all with different source sentences.

    - `iid`: all from the same distribution.
    - `length`: training and validation have at most `length_cut` source words, test sentences more.
    - `composition`: a test sentence has a pair of `held_out_pairs(seed)`, the others have none.

    Test and validation are drawn before training, so that they do not change with the training set's
    size. Validation always has the distribution of training: what the test is about is not tuned on.
    """
    check_split(grammar, kind, length_cut)
    held = held_out_pairs(seed)

    def unusual(corpus: GrammarCorpus) -> NDArray[np.bool_]:
        if kind == "length":
            return corpus.source_lengths > length_cut
        if kind == "composition":
            return corpus.any_clause(held[corpus.clauses[:, 0], corpus.clauses[:, 1]])
        return np.zeros(len(corpus), dtype=bool)

    rules: dict[str, Rule] = {
        "test": unusual if kind != "iid" else lambda corpus: ~unusual(corpus),
        "val": lambda corpus: ~unusual(corpus),
        "train": lambda corpus: ~unusual(corpus),
    }
    seen = np.zeros(0, dtype=np.uint64)
    corpora = {}
    for number, (split, rule) in enumerate(rules.items()):
        corpora[split], seen = _collect(grammar, (seed, number), sizes[split], rule, seen, split)
    return {split: corpora[split] for split in sizes}


def check_split(grammar: Grammar, kind: str, length_cut: int) -> None:
    """Raises `ConfigError` where there is no such split, or nothing on one side of the cut."""
    if kind not in KINDS:
        raise ConfigError.value("data.split", kind, " or ".join(KINDS))
    if kind == "length" and not grammar.min_length <= length_cut < grammar.max_length:
        accepted = f"from data.min_length={grammar.min_length}, below data.max_length={grammar.max_length}"
        raise ConfigError.value("data.length_cut", length_cut, accepted)


def _collect(
    grammar: Grammar, seed: tuple[int, int], size: int, rule: Rule, seen: NDArray[np.uint64], split: str
) -> tuple[GrammarCorpus, NDArray[np.uint64]]:
    """The first `size` pairs of a stream that follow `rule` and whose source is not in `seen`."""
    parts: list[GrammarCorpus] = []
    count = barren = 0
    for chunk in grammar.stream(*seed):
        chosen = np.flatnonzero(rule(chunk))
        hashes = source_hashes(chunk)[chosen]
        _, first = np.unique(hashes, return_index=True)
        first = np.sort(first)
        new = first[~np.isin(hashes[first], seen)][: size - count]
        barren = barren + 1 if len(new) < HARDLY else 0
        if len(new):
            parts.append(chunk.select(chosen[new]))
            seen = np.concatenate([seen, hashes[new]])
            count += len(new)
        if count >= size:
            return GrammarCorpus.concatenate(parts), seen
        if barren == PATIENCE:
            raise ConfigError(
                f"the grammar has only {count} different {split} pairs for these settings, not {size}: "
                "ask for fewer, or widen the bounds on length, depth and reordering"
            )
    raise AssertionError("a stream has no end")


def source_hashes(corpus: GrammarCorpus) -> NDArray[np.uint64]:
    """`(N,)` a 64-bit hash of each source sentence; two that differ agree with probability 2⁻⁶⁴."""
    width = 512  # fixed, since a chunk's longest sentence must not matter
    factors = np.random.default_rng(0x5EED).integers(1, 2**63, width, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    ids = corpus.source.astype(np.uint64)
    mixed = (ids + np.uint64(1)) * (ids * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0xD1B54A32D192ED03))
    mixed[corpus.source == 0] = 0
    hashes: NDArray[np.uint64] = (mixed * factors[: ids.shape[1]]).sum(axis=1, dtype=np.uint64)
    return hashes
