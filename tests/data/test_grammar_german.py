"""The German of the grammar: inflection against a grammar book, sentences against an independent reader."""

from __future__ import annotations

import random

import pytest

from probeta.data.grammar import german
from probeta.data.grammar.generator import Grammar
from tests.data.german_reader import Reader

UNGRAMMATICAL = """
heute der mann schläft .
der mann das buch kauft .
der mann hat gekauft das buch .
der mann kauft der hund .
den mann kauft der hund .
der alter mann schläft .
ein alte mann schläft .
die männer schläft .
ich schläft .
du schläft .
du schläfst dein buch .
der mann hilft den frau .
der mann hilft die frau .
der mann sucht nicht ein buch .
der mann sucht ein buch nicht .
er kommt heute .
er ist den hund gesehen .
er hat heute angekommen .
er ist gekommen an .
er weiß , dass die frau schläft heute .
er weiß dass die frau schläft .
er weiß die frau .
der mann , das schläft , lacht .
der mann , der schläft lacht .
der mann , den schläft , lacht .
er wartet auf dem hund .
er arbeitet in dem garten .
er arbeitet in den garten .
weil die frau schläft er lacht .
weil die frau schläft , er lacht .
er gibt das buch dem mann .
er sieht heute ihn .
die bücher ist alt .
er wird das buch gekauft .
er ruft die frau .
der mann ruft an die frau .
heute sieht im garten er einen hund .
"""


@pytest.mark.parametrize(
    ("settings", "n"),
    [
        ({}, 10_000),
        ({"max_depth": 4, "embedding": 0.7, "max_length": 60}, 2_000),
        ({"max_depth": 3, "embedding": 0.7, "max_length": 60, "extrapose": False}, 2_000),
        ({"second_person": True}, 2_000),
    ],
)
def test_a_reader_with_rules_of_its_own_accepts_every_sentence(settings: dict, n: int) -> None:
    corpus = Grammar(**settings).sample(n, seed=11)
    refused = [" ".join(pair.target) for pair in corpus if not Reader(list(pair.target)).accepts()]
    assert refused == []


@pytest.mark.parametrize("sentence", UNGRAMMATICAL.strip().splitlines())
def test_that_reader_refuses_wrong_order_and_agreement(sentence: str) -> None:
    assert not Reader(sentence.split()).accepts()


def test_that_reader_refuses_nearly_every_sentence_with_two_neighbours_swapped() -> None:
    rng = random.Random(0)
    swapped = []
    for pair in Grammar().sample(1_000, seed=12):
        words = list(pair.target)
        i = rng.randrange(len(words) - 2)
        words[i], words[i + 1] = words[i + 1], words[i]
        if words != list(pair.target):
            swapped.append(words)
    # What is left is German too: "heute antworten wir kindern" for "heute antworten kindern wir".
    assert sum(Reader(words).accepts() for words in swapped) < 0.01 * len(swapped)


@pytest.mark.parametrize(
    ("infinitive", "stem", "forms"),
    [
        ("lernen", "", "lerne lernst lernt lernen lernt lernen"),
        ("arbeiten", "", "arbeite arbeitest arbeitet arbeiten arbeitet arbeiten"),
        ("tanzen", "", "tanze tanzt tanzt tanzen tanzt tanzen"),
        ("lesen", "lies", "lese liest liest lesen lest lesen"),
        ("fahren", "fähr", "fahre fährst fährt fahren fahrt fahren"),
        ("laden", "läd", "lade lädst lädt laden ladet laden"),
        ("öffnen", "", "öffne öffnest öffnet öffnen öffnet öffnen"),
        ("füttern", "", "füttere fütterst füttert füttern füttert füttern"),
        ("wissen", "", "weiß weißt weiß wissen wisst wissen"),
    ],
)
def test_present_tense(infinitive: str, stem: str, forms: str) -> None:
    assert " ".join(german.present(infinitive, stem)) == forms


@pytest.mark.parametrize(
    ("infinitive", "strong", "forms"),
    [
        ("lachen", "", "lachte lachtest lachte lachten lachtet lachten"),
        ("warten", "", "wartete wartetest wartete warteten wartetet warteten"),
        ("sehen", "sah", "sah sahst sah sahen saht sahen"),
        ("finden", "fand", "fand fandest fand fanden fandet fanden"),
        ("denken", "dachte", "dachte dachtest dachte dachten dachtet dachten"),
        ("vergessen", "vergaß", "vergaß vergaßt vergaß vergaßen vergaßt vergaßen"),
    ],
)
def test_preterite(infinitive: str, strong: str, forms: str) -> None:
    assert " ".join(german.preterite(infinitive, strong)) == forms


def test_weak_participles_take_ge_unless_the_prefix_or_the_suffix_forbids_it() -> None:
    found = [german.participle(verb) for verb in ("kaufen", "verkaufen", "reparieren", "warten", "besuchen")]
    assert found == ["gekauft", "verkauft", "repariert", "gewartet", "besucht"]


@pytest.mark.parametrize(
    ("declension", "expected"),
    [  # masculine, feminine, neuter, plural; nominative, accusative, dative, genitive (Duden)
        ("weak", "e en en en, e e en en, e e en en, en en en en"),
        ("mixed", "er en en en, e e en en, es es en en, en en en en"),
        ("strong", "er en em en, e e er er, es es em en, e e en er"),
    ],
)
def test_adjective_endings(declension: str, expected: str) -> None:
    rows = [" ".join(german.adjective("", declension, gender, case) for case in range(4)) for gender in range(4)]
    assert ", ".join(rows) == expected


@pytest.mark.parametrize(
    ("noun", "genitive", "dative_plural"),
    [
        (("Mann", "Männer", True, False), "Mannes", "Männern"),
        (("Student", "Studenten", True, True), "Studenten", "Studenten"),
        (("Park", "Parks", True, False), "Parks", "Parks"),
        (("Frau", "Frauen", False, False), "Frau", "Frauen"),
        (("Lehrer", "Lehrer", True, False), "Lehrers", "Lehrern"),
        (("Haus", "Häuser", True, False), "Hauses", "Häusern"),
    ],
)
def test_nouns(noun: tuple[str, str, bool, bool], genitive: str, dative_plural: str) -> None:
    assert german.noun(*noun, 0, 3) == genitive
    assert german.noun(*noun, 1, 2) == dative_plural
