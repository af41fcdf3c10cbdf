"""A German reader with a lexicon and rules of its own: says whether a lowercased sentence is grammatical.

Nothing here comes from the generator. Agreement is written as codes (gender m, f, n or plural p; case
N, A, D, G) over the forms that a grammar book lists, adjective endings as the rule "the ending that the
article does not show", and clauses are parsed by recursive descent over their topological fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.data.german_words import (
    ADJECTIVES,
    CONJUNCTIONS,
    CONTRACTED,
    DEFINITE,
    DER_ENDINGS,
    EIN_ENDINGS,
    FINITE,
    INFINITE,
    NOUN_FORMS,
    PLACES,
    PREPOSITIONS,
    PRONOUNS,
    RELATIVE,
    SENTENCE_ADVERBS,
    STEMS,
    TIMES,
    UNCONTRACTED,
    Finite,
)


@dataclass(frozen=True)
class Item:
    """A constituent of a clause: a noun phrase, a phrase with a preposition, an adverb, …"""

    kind: str
    codes: frozenset[str] = frozenset()
    """For a noun phrase, gender and case; for a pronoun, person and case."""
    preposition: str = ""
    article: str = ""
    restricted: bool = False
    """Its relative clause follows at once."""
    bare: bool = False
    """Like *in dem*: only a relative clause keeps it from being *im*."""


@dataclass
class Reader:
    """`Reader(tokens).accepts()`: whether the tokens are one grammatical German sentence."""

    tokens: list[str]
    _memo: dict[tuple[object, ...], list[tuple[int, Item]]] = field(default_factory=dict)

    def accepts(self) -> bool:
        end = len(self.tokens) - 1
        return self.at(end) == "." and any(stop == end for stop in self.main(0))

    def at(self, i: int) -> str:
        return self.tokens[i] if i < len(self.tokens) else ""

    # --- clauses -------------------------------------------------------------------------------------

    def main(self, i: int) -> Iterator[int]:
        """One constituent, the finite verb, the rest: yields where it ends."""
        for verb, front in self.front(i):
            for finite in FINITE.get(self.at(verb), []):
                if finite.joined:
                    continue
                for stop, items in self.middle(verb + 1):
                    for after, takes in self.right(stop, finite):
                        yield from self.rest(after, [*front, *items], finite, takes, None)

    def front(self, i: int) -> Iterator[tuple[int, list[Item]]]:
        if self.at(i) in TIMES + SENTENCE_ADVERBS:
            yield i + 1, []
        if self.at(i) in CONJUNCTIONS:
            for stop in self.final(i + 1, None):
                if self.at(stop) == ",":
                    yield stop + 1, []
        for stop, item in self.phrase(i):
            if any(code.endswith("N") for code in item.codes):
                yield stop, [item]

    def final(self, i: int, gap: Item | None) -> Iterator[int]:
        """The rest, and the finite verb last; `gap` is a relative pronoun that went before."""
        for stop, items in self.middle(i):
            for position in (stop, stop + 1):
                for finite in FINITE.get(self.at(position), []):
                    if position == stop:
                        whole = finite.takes not in ("P", "I") and finite.joined == bool(finite.particle)
                        readings = [finite.takes] if whole else []
                    else:
                        readings = [t for t, form, p in INFINITE.get(self.at(stop), []) if self.fits(finite, form, p)]
                    for takes in readings:
                        yield from self.rest(position + 1, items, finite, takes, gap)

    def right(self, i: int, finite: Finite) -> Iterator[tuple[int, str]]:
        """What closes the bracket that the finite verb of a main clause opens."""
        if finite.takes in ("P", "I"):
            for takes, form, perfect in INFINITE.get(self.at(i), []):
                if self.fits(finite, form, perfect):
                    yield i + 1, takes
        elif finite.particle:
            if self.at(i) == finite.particle:
                yield i + 1, finite.takes
        else:
            yield i, finite.takes

    @staticmethod
    def fits(finite: Finite, form: str, perfect: str) -> bool:
        return finite.takes == form and (form == "I" or finite.perfect == perfect)

    def rest(self, i: int, items: list[Item], finite: Finite, takes: str, gap: Item | None) -> Iterator[int]:
        """Clauses after the bracket; then whether all that the verb takes is there, agrees and is in order."""
        heads = [item for item in items if item.kind in ("phrase", "prepositional")]
        bare = [item for item in heads if item.bare]
        ends = [] if bare else [(i, False)]
        if heads and self.at(i) == "," and bare in ([], heads[-1:]):
            ends += [(stop, False) for stop in self.relative(i, heads[-1])]
        for start, _ in list(ends):
            if self.at(start) == "," and self.at(start + 1) in (*CONJUNCTIONS, "dass"):
                ends += [(stop, self.at(start + 1) == "dass") for stop in self.final(start + 2, None)]
        if in_order(items) and agree(items, finite, takes, gap):
            for stop, has_dass in ends:
                if has_dass == (takes == "c"):
                    yield stop

    def relative(self, i: int, head: Item) -> Iterator[int]:
        """`, der …`, agreeing with `head`."""
        preposition = self.at(i + 1) if self.at(i + 1) in PREPOSITIONS else ""
        start = i + 2 if preposition else i + 1
        genders = {code[0] for code in head.codes}
        codes = frozenset(code for code in RELATIVE.get(self.at(start), "").split() if code[0] in genders)
        if preposition:
            codes = frozenset(code for code in codes if code[1] in PREPOSITIONS[preposition])
        if self.at(i) == "," and codes:
            yield from self.final(start + 1, Item("gap", codes, preposition))

    # --- constituents --------------------------------------------------------------------------------

    def middle(self, i: int) -> Iterator[tuple[int, list[Item]]]:
        """Every way to read constituents from `i` on: where they end, and what they are."""
        yield i, []
        for stop, item in self.constituent(i):
            for end, items in self.middle(stop):
                yield end, [item, *items]

    def constituent(self, i: int) -> Iterator[tuple[int, Item]]:
        word = self.at(i)
        if word == "nicht":
            yield i + 1, Item("nicht")
        elif word in TIMES:
            yield i + 1, Item("adverb")
        elif word in ADJECTIVES:
            yield i + 1, Item("predicate")
        yield from self.phrase(i)
        if word in PREPOSITIONS:
            for stop, item in self.phrase(i + 1):
                codes = frozenset(code for code in item.codes if code[1] in PREPOSITIONS[word])
                # "in dem Haus" is "im Haus", unless a relative clause follows.
                bare = (word, self.at(i + 1)) in UNCONTRACTED and not item.restricted and item.kind == "phrase"
                if codes:
                    yield stop, Item("prepositional", codes, word, item.article, bare=bare)
        if word in CONTRACTED:
            preposition, codes = CONTRACTED[word]
            for stop, found in self.noun(i + 1, set(codes.split()), "der"):
                item = Item("prepositional", frozenset(found), preposition, "der")
                yield from [(end, item) for end in (stop, *self.genitive(stop))]

    def phrase(self, i: int) -> Iterator[tuple[int, Item]]:
        """A noun phrase with its genitive and its relative clause, or a pronoun."""
        key = ("phrase", i)
        if key not in self._memo:
            self._memo[key] = list(self._phrase(i))
        return iter(self._memo[key])

    def _phrase(self, i: int) -> Iterator[tuple[int, Item]]:
        word = self.at(i)
        if word in PRONOUNS:
            yield i + 1, Item("pronoun", frozenset(PRONOUNS[word].split()))
        for stop, codes, article in self.simple(i):
            item = Item("phrase", frozenset(codes), article=article)
            yield stop, item
            for end in self.genitive(stop):
                yield end, item
            whole = Item("phrase", frozenset(codes), article=article, restricted=True)
            for end in self.relative(stop, item):
                # The closing comma is needed where the clause goes on.
                if self.at(end) == ",":
                    yield end + 1, whole
                if self.at(end) in (",", "."):
                    yield end, whole

    def genitive(self, i: int) -> Iterator[int]:
        """Where a noun phrase in the genitive ends."""
        for stop, codes, _ in self.simple(i):
            if any(code[1] == "G" for code in codes):
                yield stop

    def simple(self, i: int) -> Iterator[tuple[int, set[str], str]]:
        """Article, adjective, noun: where it ends, its codes, and the kind of article."""
        for codes, kind in articles(self.at(i)):
            for stop, found in self.noun(i + 1, codes, kind):
                yield stop, found, kind
        if self.at(i) in ("zwei", "drei"):
            for stop, found in self.noun(i + 1, {"pN", "pA", "pD"}, ""):
                yield stop, found, "number"
        for stop, found in self.noun(i, {"pN", "pA", "pD"}, ""):
            yield stop, found, "none"

    def noun(self, i: int, codes: set[str], article: str) -> Iterator[tuple[int, set[str]]]:
        """`[adjective] noun` that agree with `codes`."""
        word = self.at(i)
        found = codes & NOUN_FORMS.get(word, set())
        if found:
            yield i + 1, found
        for stem in STEMS:
            if word.startswith(stem):
                ending = word[len(stem) :]
                agreeing = codes & NOUN_FORMS.get(self.at(i + 1), set())
                agreeing = {code for code in agreeing if adjective_ending(code, article) == ending}
                if agreeing:
                    yield i + 2, agreeing


def articles(word: str) -> Iterator[tuple[set[str], str]]:
    """Readings of an article: codes, and `der`, `aein`, `kein` or `mein`, with `-` where it has no ending."""
    if word in DEFINITE:
        yield set(DEFINITE[word].split()), "der"
    for stem in ("dies", "jed"):
        if word.startswith(stem) and word[len(stem) :] in DER_ENDINGS:
            codes = set(DER_ENDINGS[word[len(stem) :]].split())
            yield {code for code in codes if stem == "dies" or code[0] != "p"}, "der"
    for stem in ("ein", "kein", "mein", "dein", "sein", "ihr", "unser"):
        ending = word[len(stem) :]
        if word.startswith(stem) and ending in EIN_ENDINGS:
            codes = {code for code in EIN_ENDINGS[ending].split() if stem != "ein" or code[0] != "p"}
            kind = {"ein": "aein", "kein": "kein"}.get(stem, "mein")
            yield codes, kind + ("" if ending else "-")


def adjective_ending(code: str, article: str) -> str:
    """The ending that shows gender and case where the article does not, else -e or -en."""
    gender, case = code
    shown = bool(article) and not article.endswith("-")
    if not shown:
        return {"mN": "er", "nN": "es", "nA": "es", "pN": "e", "pA": "e", "pD": "en", "pG": "er"}[code]
    plain = gender != "p" and (case == "N" or (case == "A" and gender != "m"))
    return "e" if plain else "en"


def in_order(items: list[Item]) -> bool:
    """The order of the Mittelfeld: pronouns, then adverbs; *nicht* after noun phrases, before prepositions."""
    kinds = [item.kind for item in items]
    if kinds.count("nicht") > 1 or kinds.count("predicate") > 1 or kinds.count("adverb") > 1:
        return False
    if "nicht" in kinds:
        at = kinds.index("nicht")
        if any(kind in ("phrase", "pronoun", "adverb") for kind in kinds[at:]) or "prepositional" in kinds[:at]:
            return False
    if "predicate" in kinds and kinds[-1] != "predicate":
        return False
    adverb = kinds.index("adverb") if "adverb" in kinds else len(kinds)
    return "pronoun" not in kinds[adverb + 1 :]


def agree(items: list[Item], finite: Finite, takes: str, gap: Item | None) -> bool:
    """Subject, dative, accusative in this order, each with its case; the subject with the verb's person."""
    wanted = {"d": "ND", "da": "NDA", "a": "NA"}.get(takes, "N")
    phrases = [item for item in items if item.kind in ("phrase", "pronoun")]
    prepositional = [item for item in items if item.kind == "prepositional"]
    predicate = any(item.kind == "predicate" for item in items)
    if predicate != (takes == "k") or len(prepositional) > 2:
        return False
    required = takes[2:] if takes.startswith("p:") else ""
    gap_codes = gap.codes if gap else frozenset()
    if gap and gap.preposition:
        if not required or gap.preposition != required[:-2] or not any(c[1] == required[-1] for c in gap_codes):
            return False
        required, gap_codes = "", frozenset()
    if not prepositions_fit(prepositional, required):
        return False
    options = [(wanted, frozenset[str]())]
    if gap_codes:
        options = [(wanted.replace(code[1], ""), frozenset({code})) for code in gap_codes if code[1] in wanted]
    negated = any(item.kind == "nicht" for item in items)
    for cases, missing in options:
        if len(cases) != len(phrases):
            continue
        if "N" in cases and items[0] is not phrases[0]:
            continue  # the subject comes first in the Mittelfeld
        objects = phrases["N" in cases :]
        # "sieht einen Hund nicht" is "sieht keinen Hund".
        if negated and any(item.article.startswith(("aein", "kein", "none")) for item in objects):
            continue
        subject = phrases[0].codes if "N" in cases else missing
        persons = {person_of(code) for code in subject if code[1] == "N"}
        if persons & set(finite.persons) and all(
            any(code[1] == case for code in item.codes) for case, item in zip(cases, phrases, strict=True)
        ):
            return True
    return False


def prepositions_fit(found: list[Item], required: str) -> bool:
    """At most one place beside the preposition that the verb takes."""
    for i in range(len(found)) if required else [-1]:
        if i >= 0:
            word, case = required.split("+")
            if found[i].preposition != word or not any(code[1] == case for code in found[i].codes):
                continue
        others = [item for j, item in enumerate(found) if j != i]
        if len(others) <= 1 and all(
            item.preposition in PLACES and any(code[1] == "D" for code in item.codes) for item in others
        ):
            return True
    return False


def person_of(code: str) -> str:
    """1 ich, 2 du, 3 er, 4 wir, 6 sie."""
    return code[0] if code[0].isdigit() else "6" if code[0] == "p" else "3"
