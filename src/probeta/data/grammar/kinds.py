"""What a word of the grammar's German translates: a noun, a verb, an article or a verb's particle."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from probeta.data.grammar.tables import EnglishTables, GermanTables

KINDS = ("noun", "verb", "article", "particle", "reordered")


@cache
def _forms() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Kind → its English and its German words, lower-case."""
    english, german = EnglishTables(), GermanTables()
    names = {
        "particle": ((english.particle,), (german.particle,)),
        "article": ((english.article, english.an), (german.article,)),
        "noun": ((english.noun,), (german.noun,)),
        "verb": (
            (english.finite, english.base, english.participle),
            (german.finite, german.joined, german.infinitive, german.participle),
        ),
    }

    def words(tables: EnglishTables | GermanTables, arrays: tuple[Any, ...]) -> frozenset[str]:
        known = list(tables.words.ids)
        return frozenset(known[i].lower() for array in arrays for i in np.ravel(array) if i)

    return {kind: (words(english, e), words(german, g)) for kind, (e, g) in names.items()}


def link_kinds(pair: Any) -> list[frozenset[str]]:
    """Of each target word of a `corpus.Pair` the kinds of its sure links; `reordered` where its first source word does
    not follow that of the aligned word before it (the distortion of Koehn et al. 2003 is more than 1).
    """
    found, before = [], -1
    for t, word in enumerate(pair.target):
        places = [s for s, target in pair.sure if target == t]
        kinds = {
            kind
            for kind, (english, german) in _forms().items()
            if word.lower() in german and any(pair.source[s].lower() in english for s in places)
        }
        if places:
            if abs(places[0] - before - 1) > 1:
                kinds.add("reordered")
            before = places[0]
        found.append(frozenset(kinds))
    return found
