"""English inflection. Strings in, strings out."""

from __future__ import annotations

import re

_IRREGULAR_PRESENT = {
    "be": "am are is are are are",
    "have": "have have has have have have",
    "do": "do do does do do do",
}
_MODALS = ("can", "could", "may", "should", "will")


def present(base: str) -> tuple[str, ...]:
    """I, you, he, we, you, they."""
    if base in _IRREGULAR_PRESENT:
        return tuple(_IRREGULAR_PRESENT[base].split())
    if base in _MODALS:
        return (base,) * 6
    return (base, base, third_person(base), base, base, base)


def third_person(base: str) -> str:
    if re.search("(s|sh|ch|x|z|o)$", base):
        return base + "es"
    return re.sub("([^aeiou])y$", r"\1ie", base) + "s"


def past(base: str, irregular: str = "") -> tuple[str, ...]:
    """I, you, he, we, you, they."""
    if base == "be":
        return ("was", "were", "was", "were", "were", "were")
    return (irregular or regular_past(base),) * 6


def regular_past(base: str) -> str:
    """Without doubled consonants: such verbs are listed with their forms."""
    return re.sub("([^aeiou])y$", r"\1ie", base).removesuffix("e") + "ed"


def starts_with_vowel(word: str) -> bool:
    """Whether *an* goes before it; by spelling, which holds for the words of this grammar."""
    return word[0].lower() in "aeiou"
