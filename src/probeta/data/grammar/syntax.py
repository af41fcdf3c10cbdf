"""Word order and word links of a clause, as data: topological fields, not strings.

A clause is a row of *slots*, each empty, one word, or a whole clause of its own (`…_CLAUSE`,
`COMPLEMENT`, `ADVERBIAL`). English slots are listed in their order. German slots are listed once and
put in order by `german_order`, which is the field model of the German clause: *Vorfeld*, left
bracket, *Mittelfeld*, right bracket, *Nachfeld*.
"""

from __future__ import annotations

from enum import IntEnum

ROLES = ("SUBJECT", "OBJECT", "RECIPIENT", "PLACE")
ENGLISH_PHRASE = ("PREPOSITION", "PREPOSITION_2", "ARTICLE", "ADJECTIVE", "NOUN", "OF", "OWNER_ARTICLE", "OWNER")
GERMAN_PHRASE = ("PREPOSITION", "CONTRACTION", "ARTICLE", "KEIN", "ADJECTIVE", "NOUN", "OWNER_ARTICLE", "OWNER")
EMBEDDED = ("FRONT_CLAUSE", "SUBJECT_CLAUSE", "OBJECT_CLAUSE", "COMPLEMENT", "ADVERBIAL")


class Order(IntEnum):
    """Where the finite verb stands."""

    STRAIGHT = 0
    """Subject, verb second: *der Mann liest heute …*"""
    INVERTED = 1
    """Something else, verb second, subject: *heute liest der Mann …*"""
    FINAL = 2
    """Verb final, in every embedded clause: *… weil der Mann heute … liest*"""


class ObjectField(IntEnum):
    """Where the object stands in the Mittelfeld."""

    EARLY = 0
    """A pronoun, or definite beside *nicht*; before adverbs: *er sieht ihn heute*, *er sieht den Hund heute nicht*"""
    MIDDLE = 1
    """Definite, before the place: *er sieht heute den Hund im Garten*"""
    LATE = 2
    """Indefinite, *kein*, or with a preposition: *er sieht heute im Garten keinen Hund*"""


def _phrase(role: str, parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{role}_{part}" for part in parts)


ENGLISH_SLOTS = (
    *("CONJUNCTION", "RELATIVE_PREPOSITION", "RELATIVE_PREPOSITION_2", "RELATIVE_TO", "RELATIVE"),
    *("FRONT_CLAUSE", "FRONT_COMMA", "FRONT_ADVERB"),
    *_phrase("SUBJECT", ENGLISH_PHRASE),
    "SUBJECT_CLAUSE",
    *("DO", "AUXILIARY", "COPULA", "NOT", "FREQUENCY", "SEMI_MODAL", "TO", "VERB", "PARTICLE"),
    *_phrase("RECIPIENT", ENGLISH_PHRASE),
    *_phrase("OBJECT", ENGLISH_PHRASE),
    *("PARTICLE_AFTER", "OBJECT_CLAUSE", "PREDICATE"),
    *_phrase("PLACE", ENGLISH_PHRASE),
    *("TIME", "COMPLEMENT", "ADVERBIAL", "PERIOD"),
)

GERMAN_SLOTS = (
    *("COMMA", "CONJUNCTION", "RELATIVE_PREPOSITION", "RELATIVE"),
    *("FRONT_CLAUSE", "FRONT_COMMA", "FRONT_ADVERB"),
    *_phrase("SUBJECT", GERMAN_PHRASE),
    *("SUBJECT_CLAUSE", "SUBJECT_COMMA"),
    *("VERB", "AUXILIARY"),
    *_phrase("OBJECT", GERMAN_PHRASE),
    *("OBJECT_CLAUSE", "OBJECT_COMMA"),
    *_phrase("RECIPIENT", GERMAN_PHRASE),
    *("TIME", "FREQUENCY", "NICHT"),
    *_phrase("PLACE", GERMAN_PHRASE),
    *("PREDICATE", "PARTICLE", "INFINITE", "COMPLEMENT", "ADVERBIAL", "PERIOD"),
)

EN = {name: column for column, name in enumerate(ENGLISH_SLOTS)}
DE = {name: column for column, name in enumerate(GERMAN_SLOTS)}


def german_order(order: Order, field: ObjectField, extraposed: bool) -> tuple[int, ...]:
    """The German slots in order. `extraposed`: the object's relative clause goes to the Nachfeld."""
    subject = (*_phrase("SUBJECT", GERMAN_PHRASE), "SUBJECT_CLAUSE", "SUBJECT_COMMA")
    relative = ("OBJECT_CLAUSE", "OBJECT_COMMA")
    object_ = (*_phrase("OBJECT", GERMAN_PHRASE), *(() if extraposed else relative))
    front = ("FRONT_CLAUSE", "FRONT_COMMA", "FRONT_ADVERB")
    left = {
        Order.STRAIGHT: (*front, *subject, "VERB", "AUXILIARY"),
        Order.INVERTED: (*front, "VERB", "AUXILIARY", *subject),
        Order.FINAL: (*front, *subject),
    }[order]
    middle = list(_phrase("RECIPIENT", GERMAN_PHRASE))
    for here, slots in (
        (ObjectField.EARLY, ("TIME", "FREQUENCY")),
        (ObjectField.MIDDLE, ("NICHT", *_phrase("PLACE", GERMAN_PHRASE))),
        (ObjectField.LATE, ("PREDICATE",)),
    ):
        middle += [*(object_ if field == here else ()), *slots]
    right = ("PARTICLE", "INFINITE", *(("VERB", "AUXILIARY") if order == Order.FINAL else ()))
    after = (*(relative if extraposed else ()), "COMPLEMENT", "ADVERBIAL", "PERIOD")
    names = ("COMMA", "CONJUNCTION", "RELATIVE_PREPOSITION", "RELATIVE", *left, *middle, *right, *after)
    assert sorted(names) == sorted(GERMAN_SLOTS)
    return tuple(DE[name] for name in names)


def _phrase_links(role: str) -> list[tuple[str, str, bool]]:
    pairs = [
        ("PREPOSITION", "PREPOSITION", True),
        ("PREPOSITION_2", "PREPOSITION", True),
        ("PREPOSITION", "CONTRACTION", True),
        ("PREPOSITION_2", "CONTRACTION", True),
        ("ARTICLE", "CONTRACTION", False),
        ("ARTICLE", "ARTICLE", True),
        ("ARTICLE", "KEIN", False),
        ("ADJECTIVE", "ADJECTIVE", True),
        ("NOUN", "NOUN", True),
        ("OF", "OWNER_ARTICLE", False),
        ("OWNER_ARTICLE", "OWNER_ARTICLE", True),
        ("OWNER", "OWNER", True),
    ]
    return [(f"{role}_{english}", f"{role}_{german}", sure) for english, german, sure in pairs]


SAME = (
    *("CONJUNCTION", "RELATIVE_PREPOSITION", "RELATIVE", "FRONT_ADVERB", "FRONT_COMMA"),
    *("AUXILIARY", "FREQUENCY", "PREDICATE", "TIME", "PERIOD"),
)

LINKS: tuple[tuple[str, str, bool], ...] = (
    *((slot, slot, True) for slot in SAME),
    *(link for role in ROLES for link in _phrase_links(role)),
    ("VERB", "VERB", True),
    ("VERB", "INFINITE", True),
    ("COPULA", "VERB", True),
    ("SEMI_MODAL", "AUXILIARY", True),
    ("NOT", "NICHT", True),
    ("NOT", "OBJECT_KEIN", True),
    ("PARTICLE", "PARTICLE", True),
    ("PARTICLE_AFTER", "PARTICLE", True),
    # A comma before a clause stands for what introduces the clause.
    ("CONJUNCTION", "COMMA", False),
    ("RELATIVE", "COMMA", False),
    # `to whom`, where German has the dative.
    ("RELATIVE_TO", "RELATIVE", False),
    # What supports a verb, and the parts of a particle verb, crosswise.
    *(("DO", verb, False) for verb in ("VERB", "AUXILIARY")),
    *(("TO", verb, False) for verb in ("AUXILIARY", "INFINITE")),
    ("VERB", "PARTICLE", False),
    *((f"PARTICLE{after}", verb, False) for after in ("", "_AFTER") for verb in ("VERB", "INFINITE")),
    # The second slot holds the English preposition that German builds into the verb (`look for`, *suchen*).
    *(
        (f"{role}_PREPOSITION_2", verb, False)
        for role in ("OBJECT", "RELATIVE")
        for verb in ("VERB", "INFINITE", "PARTICLE")
    ),
)
"""English slot, German slot, and whether the link is sure (Och & Ney 2003, "Evaluation methodology") or only possible.

Sure: what translates a word in any context (nouns, verbs, article and article, auxiliary and
auxiliary, particle and separable particle, `not` and *nicht* or *kein*). Possible: what belongs to a
word's translation without translating it: `do`, `to` and `of`, the article in *im* or *keinen*, the
verb to its separated particle, an English preposition that German builds into the verb, `to` before a
relative pronoun in the dative, and the commas that German puts around a clause, to the conjunction or the
relative pronoun that introduces the clause (the closing one also to the clause's last word).
"""
