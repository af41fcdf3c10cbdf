"""German inflection: articles, adjectives, nouns, verbs. Strings in, strings out."""

from __future__ import annotations

import re

CASES = ("nominative", "accusative", "dative", "genitive")
"""Order of every table here, with genders masculine, feminine, neuter, and then the plural."""

_DEFINITE = {0: "der den dem des", 1: "die die der der", 2: "das das dem des", 3: "die die den der"}
_DER_WORD = {0: "er en em es", 1: "e e er er", 2: "es es em es", 3: "e e en er"}
_EIN_WORD = {0: "- en em es", 1: "e e er er", 2: "- - em es", 3: "e e en er"}
_WEAK = {0: "e en en en", 1: "e e en en", 2: "e e en en", 3: "en en en en"}
_MIXED = {0: "er en en en", 1: "e e en en", 2: "es es en en", 3: "en en en en"}
_STRONG = {0: "er en em en", 1: "e e er er", 2: "es es em en", 3: "e e en er"}
_RELATIVE = {0: "der den dem dessen", 1: "die die der deren", 2: "das das dem dessen", 3: "die die denen deren"}
_PRONOUNS = {
    "ich": "mich mir",
    "du": "dich dir",
    "er": "ihn ihm",
    "sie": "sie ihr",
    "wir": "uns uns",
    "SIE": "sie ihnen",
}

_CONTRACTIONS = {
    ("in", "dem"): "im",
    ("in", "das"): "ins",
    ("von", "dem"): "vom",
    ("zu", "dem"): "zum",
    ("zu", "der"): "zur",
    ("bei", "dem"): "beim",
}

_IRREGULAR_PRESENT = {
    "sein": "bin bist ist sind seid sind",
    "haben": "habe hast hat haben habt haben",
    "werden": "werde wirst wird werden werdet werden",
    "können": "kann kannst kann können könnt können",
    "müssen": "muss musst muss müssen müsst müssen",
    "wollen": "will willst will wollen wollt wollen",
    "dürfen": "darf darfst darf dürfen dürft dürfen",
    "wissen": "weiß weißt weiß wissen wisst wissen",
}


def _cell(table: dict[int, str], gender: int, case: int) -> str:
    return table[gender].split()[case].replace("-", "")


def definite(gender: int, case: int) -> str:
    return _cell(_DEFINITE, gender, case)


def der_word(stem: str, gender: int, case: int) -> str:
    """*dies-*, *jed-*."""
    return stem + _cell(_DER_WORD, gender, case)


def ein_word(stem: str, gender: int, case: int) -> str:
    """*ein*, *kein*, *mein*, …"""
    return stem + _cell(_EIN_WORD, gender, case)


def relative_pronoun(gender: int, case: int) -> str:
    return _cell(_RELATIVE, gender, case)


def personal_pronoun(nominative: str, case: int) -> str:
    """`SIE` is the plural *sie*."""
    return nominative.lower() if case == 0 else _PRONOUNS[nominative].split()[case - 1]


def contraction(preposition: str, article: str) -> str:
    """*im* from *in dem*; empty where German has none."""
    return _CONTRACTIONS.get((preposition, article), "")


def adjective(stem: str, declension: str, gender: int, case: int) -> str:
    """`declension` is weak (after *der*), mixed (after *ein*) or strong (after nothing or a number)."""
    return stem + _cell({"weak": _WEAK, "mixed": _MIXED, "strong": _STRONG}[declension], gender, case)


def noun(singular: str, plural: str, masculine_or_neuter: bool, weak: bool, number: int, case: int) -> str:
    if number == 1:
        return plural + ("n" if case == 2 and not re.search("[ns]$", plural) else "")
    if weak:
        return plural if case else singular
    if case == 3 and masculine_or_neuter:
        one_syllable = len(re.findall("[aeiouyäöü]+", singular.lower())) == 1
        foreign = plural.endswith("s")  # des Parks
        if re.search("(s|ß|z|x)$", singular) or (one_syllable and not foreign and re.search("[^aeiouh]$", singular)):
            return singular + "es"
        return singular + "s"
    return singular


def _needs_e(stem: str) -> bool:
    """*arbeit-e-t*, *öffn-e-t*, but *lern-t*, *kenn-t*."""
    return bool(re.search("[td]$", stem)) or bool(re.search("[^aeiouäöülrhmn][mn]$", stem))


def verb_stem(infinitive: str) -> str:
    return infinitive[:-2] if infinitive.endswith("en") else infinitive[:-1]


def present(infinitive: str, changed_stem: str = "") -> tuple[str, ...]:
    """ich, du, er, wir, ihr, sie. `changed_stem` is that of du and er (*lies* for *lesen*)."""
    if infinitive in _IRREGULAR_PRESENT:
        return tuple(_IRREGULAR_PRESENT[infinitive].split())
    stem = verb_stem(infinitive)
    e = "e" if _needs_e(stem) else ""
    inner, inner_e = (changed_stem, "") if changed_stem else (stem, e)
    du = inner + (inner_e + "st" if inner_e or not re.search("[sßzx]$", inner) else "t")
    return (stem + "e", du, inner + inner_e + "t", infinitive, stem + e + "t", infinitive)


def preterite(infinitive: str, strong: str = "") -> tuple[str, ...]:
    """ich, du, er, wir, ihr, sie. `strong` is the first person where it is irregular (*las*, *dachte*)."""
    stem = verb_stem(infinitive)
    first = strong or stem + ("ete" if _needs_e(stem) else "te")
    if first.endswith("e"):
        return (first, first + "st", first, first + "n", first + "t", first + "n")
    e = "e" if re.search("[td]$", first) else ""
    du = first + ("t" if re.search("[sßzx]$", first) else e + "st")
    return (first, du, first, first + "en", first + e + "t", first + "en")


def participle(infinitive: str, strong: str = "") -> str:
    """Of a verb without its separable particle, which goes before it: *an* + *gerufen*."""
    if strong:
        return strong
    stem = verb_stem(infinitive)
    ge = "" if infinitive.endswith("ieren") or re.match("(be|ver|er|ent|zer)", infinitive) else "ge"
    return ge + stem + ("et" if _needs_e(stem) else "t")
