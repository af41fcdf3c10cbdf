"""Tense and modality: what each construction is made of in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from probeta.data.grammar import english, german


class VerbForm(Enum):
    """The form of the lexical verb."""

    PRESENT = "present"
    PAST = "past"
    PARTICIPLE = "participle"
    BASE = "base"


@dataclass(frozen=True)
class Construction:
    name: str
    weight: int
    """Of a hundred clauses, roughly how many."""
    past: bool
    form: VerbForm
    english: str = ""
    """Auxiliary before `not` (*has seen*), or with `to` behind *do* and `not` (*does not want to see*)."""
    german: str = ""
    """Auxiliary; `haben` stands for *haben* or *sein*."""
    times: tuple[str, ...] = ("today",)
    """The English adverbs of time that go with it."""
    stative: bool = True
    """It suits a state, as *be* or *know*."""

    @property
    def semi_modal(self) -> bool:
        return self.english.endswith(" to")


CONSTRUCTIONS = (
    Construction("present", 32, False, VerbForm.PRESENT, times=("today", "now")),
    Construction("past", 20, True, VerbForm.PAST, times=("today", "yesterday")),
    Construction("perfect", 12, False, VerbForm.PARTICIPLE, "have", "haben"),
    Construction("pluperfect", 4, True, VerbForm.PARTICIPLE, "had", "hatte", ("yesterday",), stative=False),
    Construction("future", 8, False, VerbForm.BASE, "will", "werden", ("today", "tomorrow", "soon")),
    Construction("can", 6, False, VerbForm.BASE, "can", "können", ("today", "now"), stative=False),
    Construction("have_to", 4, False, VerbForm.BASE, "have to", "müssen", ("today", "now", "tomorrow"), stative=False),
    Construction("want_to", 4, False, VerbForm.BASE, "want to", "wollen", ("today", "now"), stative=False),
    Construction("may", 3, False, VerbForm.BASE, "may", "dürfen", ("today", "now"), stative=False),
    Construction("should", 3, False, VerbForm.BASE, "should", "sollte", ("today", "now", "tomorrow"), stative=False),
    Construction("could", 2, True, VerbForm.BASE, "could", "konnte", ("today", "yesterday"), stative=False),
    Construction("had_to", 2, True, VerbForm.BASE, "had to", "musste", ("today", "yesterday"), stative=False),
    Construction("wanted_to", 2, True, VerbForm.BASE, "wanted to", "wollte", ("today", "yesterday"), stative=False),
)

_GERMAN_PAST = {"hatte": "haben", "konnte": "können", "musste": "müssen", "wollte": "wollen", "sollte": "sollen"}
_GERMAN_PAST |= {"war": "sein"}


def english_auxiliary(name: str) -> tuple[str, ...]:
    """I, you, he, we, you, they."""
    word = name.removesuffix(" to")
    return (word,) * 6 if word in ("had", "wanted") else english.present(word)


def german_auxiliary(name: str) -> tuple[str, ...]:
    """ich, du, er, wir, ihr, sie; a past form stands for its whole paradigm."""
    if name in _GERMAN_PAST:
        return german.preterite(_GERMAN_PAST[name], "" if name == "sollte" else name)
    return german.present(name)


def with_sein(auxiliary: str) -> str:
    """The auxiliary of a verb whose perfect is built with *sein*."""
    return {"haben": "sein", "hatte": "war"}.get(auxiliary, auxiliary)
