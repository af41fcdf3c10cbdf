"""The words of the grammar: what each means, which nouns a verb takes, and its irregular forms.

Chosen so that English determines German: no noun with one form for both numbers (*sheep*), no verb
whose plural present is its past (*read*, *put*).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, auto


class Kind(Flag):
    """What a noun denotes: verbs and adjectives choose by it."""

    PERSON = auto()
    ANIMAL = auto()
    TEXT = auto()
    FOOD = auto()
    THING = auto()
    MACHINE = auto()
    BUILDING = auto()
    AREA = auto()


P, A, T, F, O, M, B, L = Kind  # noqa: E741
NOTHING = Kind(0)
PLACE = B | L
GOODS = T | F | O | M


class Gender(Enum):
    MASCULINE = 0
    FEMININE = 1
    NEUTER = 2


DER, DIE, DAS = Gender


@dataclass(frozen=True)
class Noun:
    english: str
    english_plural: str
    german: str
    german_plural: str
    gender: Gender
    kind: Kind
    weak: bool = False
    """The n-declension (*der Student, den Studenten*): every form but the nominative singular is the plural's."""


@dataclass(frozen=True)
class Adjective:
    english: str
    german: str
    kinds: Kind
    stem: str = ""
    """What endings are put on, where it is not the adjective itself (*teuer*, *ein teures Bild*)."""


class Frame(Enum):
    """What a verb takes beside its subject."""

    INTRANSITIVE = auto()
    ACCUSATIVE = auto()
    DATIVE = auto()
    DITRANSITIVE = auto()
    PREPOSITIONAL = auto()
    CLAUSAL = auto()
    COPULAR = auto()


@dataclass(frozen=True)
class Verb:
    english: str
    """Base, past and participle where irregular (`"see saw seen"`), then `+particle` or `>preposition`."""
    german: str
    """Infinitive (`an|rufen` if separable), then, if strong: stem of du/er or `-`, preterite, participle."""
    frame: Frame
    subject: Kind = P
    object: Kind = NOTHING
    preposition: str = ""
    """German preposition and case of the object: `auf+acc`."""
    be: bool = False
    """The perfect is built with *sein*."""
    place: bool = True
    """Goes with a place (*in the garden*)."""
    stative: bool = False
    """A state rather than an action: nobody *may know today* or *has to love tomorrow*."""


NOUNS = (
    Noun("man", "men", "Mann", "Männer", DER, P),
    Noun("woman", "women", "Frau", "Frauen", DIE, P),
    Noun("child", "children", "Kind", "Kinder", DAS, P),
    Noun("girl", "girls", "Mädchen", "Mädchen", DAS, P),
    Noun("boy", "boys", "Junge", "Jungen", DER, P, weak=True),
    Noun("teacher", "teachers", "Lehrer", "Lehrer", DER, P),
    Noun("doctor", "doctors", "Arzt", "Ärzte", DER, P),
    Noun("student", "students", "Student", "Studenten", DER, P, weak=True),
    Noun("neighbor", "neighbors", "Nachbar", "Nachbarn", DER, P, weak=True),
    Noun("friend", "friends", "Freund", "Freunde", DER, P),
    Noun("sister", "sisters", "Schwester", "Schwestern", DIE, P),
    Noun("brother", "brothers", "Bruder", "Brüder", DER, P),
    Noun("daughter", "daughters", "Tochter", "Töchter", DIE, P),
    Noun("son", "sons", "Sohn", "Söhne", DER, P),
    Noun("dog", "dogs", "Hund", "Hunde", DER, A),
    Noun("cat", "cats", "Katze", "Katzen", DIE, A),
    Noun("horse", "horses", "Pferd", "Pferde", DAS, A),
    Noun("bird", "birds", "Vogel", "Vögel", DER, A),
    Noun("cow", "cows", "Kuh", "Kühe", DIE, A),
    Noun("book", "books", "Buch", "Bücher", DAS, T),
    Noun("letter", "letters", "Brief", "Briefe", DER, T),
    Noun("story", "stories", "Geschichte", "Geschichten", DIE, T),
    Noun("poem", "poems", "Gedicht", "Gedichte", DAS, T),
    Noun("apple", "apples", "Apfel", "Äpfel", DER, F),
    Noun("egg", "eggs", "Ei", "Eier", DAS, F),
    Noun("soup", "soups", "Suppe", "Suppen", DIE, F),
    Noun("potato", "potatoes", "Kartoffel", "Kartoffeln", DIE, F),
    Noun("key", "keys", "Schlüssel", "Schlüssel", DER, O),
    Noun("bag", "bags", "Tasche", "Taschen", DIE, O),
    Noun("hat", "hats", "Hut", "Hüte", DER, O),
    Noun("picture", "pictures", "Bild", "Bilder", DAS, O),
    Noun("knife", "knives", "Messer", "Messer", DAS, O),
    Noun("bottle", "bottles", "Flasche", "Flaschen", DIE, O),
    Noun("lamp", "lamps", "Lampe", "Lampen", DIE, M),
    Noun("computer", "computers", "Computer", "Computer", DER, M),
    Noun("radio", "radios", "Radio", "Radios", DAS, M),
    Noun("house", "houses", "Haus", "Häuser", DAS, B),
    Noun("school", "schools", "Schule", "Schulen", DIE, B),
    Noun("station", "stations", "Bahnhof", "Bahnhöfe", DER, B),
    Noun("museum", "museums", "Museum", "Museen", DAS, B),
    Noun("garden", "gardens", "Garten", "Gärten", DER, L),
    Noun("city", "cities", "Stadt", "Städte", DIE, L),
    Noun("park", "parks", "Park", "Parks", DER, L),
    Noun("village", "villages", "Dorf", "Dörfer", DAS, L),
)

ADJECTIVES = (
    Adjective("old", "alt", P | A | T | O | M | PLACE),
    Adjective("young", "jung", P | A),
    Adjective("small", "klein", P | A | F | O | M | PLACE),
    Adjective("big", "groß", A | F | O | M | PLACE),
    Adjective("tired", "müde", P | A, stem="müd"),
    Adjective("happy", "glücklich", P),
    Adjective("sad", "traurig", P | T),
    Adjective("sick", "krank", P | A),
    Adjective("friendly", "freundlich", P),
    Adjective("famous", "berühmt", P | T | B),
    Adjective("good", "gut", T | F),
    Adjective("new", "neu", T | O | M | B),
    Adjective("expensive", "teuer", T | F | O | M, stem="teur"),
    Adjective("beautiful", "schön", A | T | O | PLACE),
    Adjective("heavy", "schwer", O | M),
    Adjective("hot", "heiß", F),
)

_INTRANSITIVE, _ACC, _DAT, _DITRANSITIVE, _PREP, _CLAUSAL, _COPULAR = Frame

VERBS = (
    Verb("sleep slept slept", "schlafen schläf schlief geschlafen", _INTRANSITIVE, P | A),
    Verb("laugh", "lachen", _INTRANSITIVE),
    Verb("cry", "weinen", _INTRANSITIVE),
    Verb("work", "arbeiten", _INTRANSITIVE),
    Verb("dance", "tanzen", _INTRANSITIVE),
    Verb("sing sang sung", "singen - sang gesungen", _INTRANSITIVE),
    Verb("swim swam swum", "schwimmen - schwamm geschwommen", _INTRANSITIVE, P | A, be=True, place=False),
    Verb("arrive", "an|kommen - kam gekommen", _INTRANSITIVE, be=True, place=False),
    Verb("wake woke woken +up", "auf|wachen", _INTRANSITIVE, P | A, be=True),
    Verb("fall fell fallen +asleep", "ein|schlafen schläf schlief geschlafen", _INTRANSITIVE, P | A, be=True),
    Verb("come came come +back", "zurück|kommen - kam gekommen", _INTRANSITIVE, P | A, be=True, place=False),
    Verb("see saw seen", "sehen sieh sah gesehen", _ACC, P | A, P | A | O | M | PLACE),
    Verb("know knew known", "kennen - kannte gekannt", _ACC, P, P | T | PLACE, place=False, stative=True),
    Verb("love", "lieben", _ACC, P, P | A | T | PLACE, place=False, stative=True),
    Verb("find found found", "finden - fand gefunden", _ACC, P, P | A | T | O),
    Verb("visit", "besuchen", _ACC, P, P | PLACE, place=False),
    Verb("buy bought bought", "kaufen", _ACC, P, A | GOODS),
    Verb("sell sold sold", "verkaufen", _ACC, P, A | GOODS),
    Verb("eat ate eaten", "essen iss aß gegessen", _ACC, P, F),
    Verb("cook", "kochen", _ACC, P, F),
    Verb("write wrote written", "schreiben - schrieb geschrieben", _ACC, P, T),
    Verb("forget forgot forgotten", "vergessen vergiss vergaß vergessen", _ACC, P, P | T | O, place=False),
    Verb("understand understood understood", "verstehen - verstand verstanden", _ACC, P, P | T, place=False),
    Verb("need", "brauchen", _ACC, P, P | O | M | F, place=False),
    Verb("lose lost lost", "verlieren - verlor verloren", _ACC, P, T | O),
    Verb("meet met met", "treffen triff traf getroffen", _ACC, P, P),
    Verb("carry", "tragen träg trug getragen", _ACC, P, O | M),
    Verb("repair", "reparieren", _ACC, P, M),
    Verb("wash", "waschen wäsch wusch gewaschen", _ACC, P, A | F),
    Verb("feed fed fed", "füttern", _ACC, P, A),
    Verb("hear heard heard", "hören", _ACC, P | A, P | A),
    Verb("look >for", "suchen", _ACC, P | A, P | A | O),
    Verb("look >at", "an|sehen sieh sah gesehen", _ACC, P | A, P | A | O | PLACE),
    Verb("call", "an|rufen - rief gerufen", _ACC, P, P),
    Verb("invite", "ein|laden läd lud geladen", _ACC, P, P, place=False),
    Verb("pick +up", "ab|holen", _ACC, P, P | O | M),
    Verb("throw threw thrown +away", "weg|werfen wirf warf geworfen", _ACC, P, T | F | O, place=False),
    Verb("bring brought brought +along", "mit|bringen - brachte gebracht", _ACC, P, P | O | F, place=False),
    Verb("switch +on", "ein|schalten", _ACC, P, M),
    Verb("help", "helfen hilf half geholfen", _DAT, P, P | A),
    Verb("thank", "danken", _DAT, P, P, place=False),
    Verb("follow", "folgen", _DAT, P | A, P | A, be=True, place=False),
    Verb("trust", "vertrauen", _DAT, P, P, place=False),
    Verb("answer", "antworten", _DAT, P, P, place=False),
    Verb("listen >to", "zu|hören", _DAT, P, P),
    Verb("give gave given", "geben gib gab gegeben", _DITRANSITIVE, P, GOODS),
    Verb("show showed shown", "zeigen", _DITRANSITIVE, P, A | T | O | M),
    Verb("send sent sent", "schicken", _DITRANSITIVE, P, T | O, place=False),
    Verb("lend lent lent", "leihen - lieh geliehen", _DITRANSITIVE, P, O | M, place=False),
    Verb("offer", "an|bieten - bot geboten", _DITRANSITIVE, P, F | O | M),
    Verb("wait >for", "warten", _PREP, P | A, P, "auf+acc"),
    Verb("think thought thought >of", "denken - dachte gedacht", _PREP, P, P | A | PLACE, "an+acc", place=False),
    Verb("dream >of", "träumen", _PREP, P, P | A | L, "von+dat", place=False),
    Verb("talk >to", "sprechen sprich sprach gesprochen", _PREP, P, P | A, "mit+dat"),
    Verb("laugh >about", "lachen", _PREP, P, P | T, "über+acc"),
    Verb("play >with", "spielen", _PREP, P | A, P | A, "mit+dat"),
    Verb("look >after", "auf|passen", _PREP, P, P | A, "auf+acc", place=False),
    Verb("go went gone >into", "gehen - ging gegangen", _PREP, P | A, PLACE, "in+acc", be=True, place=False),
    Verb("drive drove driven >to", "fahren fähr fuhr gefahren", _PREP, P, P | B, "zu+dat", be=True, place=False),
    Verb("say said said", "sagen", _CLAUSAL, place=False),
    Verb("know knew known", "wissen - wusste gewusst", _CLAUSAL, place=False, stative=True),
    Verb("believe", "glauben", _CLAUSAL, place=False),
    Verb("hope", "hoffen", _CLAUSAL, place=False),
    Verb("think thought thought", "denken - dachte gedacht", _CLAUSAL, place=False),
    Verb("be was been", "sein - war gewesen", _COPULAR, ~PLACE, be=True, place=False, stative=True),
)

PREPOSITIONS = (("in", "in", PLACE), ("behind", "hinter", B), ("next to", "neben", B), ("near", "bei", B))
"""Of a place, with the dative: English, German, the nouns."""

TIMES = (("today", "heute"), ("now", "jetzt"), ("yesterday", "gestern"), ("tomorrow", "morgen"), ("soon", "bald"))
FREQUENCIES = (("often", "oft"), ("always", "immer"), ("never", "nie"), ("sometimes", "manchmal"))
SENTENCE_ADVERBS = (("perhaps", "vielleicht"), ("unfortunately", "leider"), ("therefore", "deshalb"))
CONJUNCTIONS = (
    ("that", "dass"),
    ("because", "weil"),
    ("although", "obwohl"),
    ("if", "wenn"),
    ("before", "bevor"),
    ("while", "während"),
)
