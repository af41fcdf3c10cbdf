"""The German reader's lexicon: full forms, as a dictionary lists them, and the forms of the function words.

Codes are gender (m, f, n, or p for the plural) and case (N, A, D, G); persons are 1 ich, 2 du, 3 er, 4 wir, 6 sie.
"""

from __future__ import annotations

from dataclasses import dataclass

# nominative singular, gender (! for the n-declension), genitive singular, plural, dative plural
NOUNS = """
mann m mannes männer männern; frau f frau frauen frauen; kind n kindes kinder kindern
mädchen n mädchens mädchen mädchen; junge m! jungen jungen jungen; lehrer m lehrers lehrer lehrern
arzt m arztes ärzte ärzten; student m! studenten studenten studenten; nachbar m! nachbarn nachbarn nachbarn
freund m freundes freunde freunden; schwester f schwester schwestern schwestern
bruder m bruders brüder brüdern; tochter f tochter töchter töchtern; sohn m sohnes söhne söhnen
hund m hundes hunde hunden; katze f katze katzen katzen; pferd n pferdes pferde pferden
vogel m vogels vögel vögeln; kuh f kuh kühe kühen; buch n buches bücher büchern; brief m briefes briefe briefen
geschichte f geschichte geschichten geschichten; gedicht n gedichts gedichte gedichten
apfel m apfels äpfel äpfeln; ei n eis eier eiern; suppe f suppe suppen suppen
kartoffel f kartoffel kartoffeln kartoffeln; schlüssel m schlüssels schlüssel schlüsseln
tasche f tasche taschen taschen; hut m hutes hüte hüten; bild n bildes bilder bildern
messer n messers messer messern; flasche f flasche flaschen flaschen; lampe f lampe lampen lampen
computer m computers computer computern; radio n radios radios radios; haus n hauses häuser häusern
schule f schule schulen schulen; bahnhof m bahnhofs bahnhöfe bahnhöfen; museum n museums museen museen
garten m gartens gärten gärten; stadt f stadt städte städten; park m parks parks parks
dorf n dorfes dörfer dörfern
"""

# infinitive, ich, er, er (past), participle, what it takes, perfect with h(aben) or s(ein)
# i nothing, a accusative, d dative, da both, c a clause, k an adjective, p:word+case a preposition
VERBS = """
schlafen schlafe schläft schlief geschlafen i h; lachen lache lacht lachte gelacht i h
weinen weine weint weinte geweint i h; arbeiten arbeite arbeitet arbeitete gearbeitet i h
tanzen tanze tanzt tanzte getanzt i h; singen singe singt sang gesungen i h
schwimmen schwimme schwimmt schwamm geschwommen i s; an|kommen komme kommt kam gekommen i s
auf|wachen wache wacht wachte gewacht i s; ein|schlafen schlafe schläft schlief geschlafen i s
zurück|kommen komme kommt kam gekommen i s; sehen sehe sieht sah gesehen a h
kennen kenne kennt kannte gekannt a h; lieben liebe liebt liebte geliebt a h
finden finde findet fand gefunden a h; besuchen besuche besucht besuchte besucht a h
kaufen kaufe kauft kaufte gekauft a h; verkaufen verkaufe verkauft verkaufte verkauft a h
essen esse isst aß gegessen a h; kochen koche kocht kochte gekocht a h
schreiben schreibe schreibt schrieb geschrieben a h; vergessen vergesse vergisst vergaß vergessen a h
verstehen verstehe versteht verstand verstanden a h; brauchen brauche braucht brauchte gebraucht a h
verlieren verliere verliert verlor verloren a h; treffen treffe trifft traf getroffen a h
tragen trage trägt trug getragen a h; reparieren repariere repariert reparierte repariert a h
waschen wasche wäscht wusch gewaschen a h; füttern füttere füttert fütterte gefüttert a h
hören höre hört hörte gehört a h; suchen suche sucht suchte gesucht a h
an|sehen sehe sieht sah gesehen a h; an|rufen rufe ruft rief gerufen a h
ein|laden lade lädt lud geladen a h; ab|holen hole holt holte geholt a h
weg|werfen werfe wirft warf geworfen a h; mit|bringen bringe bringt brachte gebracht a h
ein|schalten schalte schaltet schaltete geschaltet a h; helfen helfe hilft half geholfen d h
danken danke dankt dankte gedankt d h; folgen folge folgt folgte gefolgt d s
vertrauen vertraue vertraut vertraute vertraut d h; antworten antworte antwortet antwortete geantwortet d h
zu|hören höre hört hörte gehört d h; geben gebe gibt gab gegeben da h; zeigen zeige zeigt zeigte gezeigt da h
schicken schicke schickt schickte geschickt da h; leihen leihe leiht lieh geliehen da h
an|bieten biete bietet bot geboten da h; warten warte wartet wartete gewartet p:auf+A h
denken denke denkt dachte gedacht p:an+A h; träumen träume träumt träumte geträumt p:von+D h
sprechen spreche spricht sprach gesprochen p:mit+D h; lachen lache lacht lachte gelacht p:über+A h
spielen spiele spielt spielte gespielt p:mit+D h; auf|passen passe passt passte gepasst p:auf+A h
gehen gehe geht ging gegangen p:in+A s; fahren fahre fährt fuhr gefahren p:zu+D s
sagen sage sagt sagte gesagt c h; wissen weiß weiß wusste gewusst c h; glauben glaube glaubt glaubte geglaubt c h
hoffen hoffe hofft hoffte gehofft c h; denken denke denkt dachte gedacht c h; sein bin ist war gewesen k s
"""

# ich, du, er, wir and sie: auxiliaries by what they stand with (P participle, I infinitive)
AUXILIARIES = """
h P habe hast hat haben; h P hatte hattest hatte hatten; s P bin bist ist sind; s P war warst war waren
- I werde wirst wird werden; - I kann kannst kann können; - I muss musst muss müssen; - I will willst will wollen
- I darf darfst darf dürfen; - I sollte solltest sollte sollten; - I konnte konntest konnte konnten
- I musste musstest musste mussten; - I wollte wolltest wollte wollten
"""

PREDICATES = """
alt jung klein groß müde glücklich traurig krank gut freundlich berühmt neu teuer schön schwer heiß
"""
ADJECTIVES = tuple(PREDICATES.split())
STEMS = [{"müde": "müd", "teuer": "teur"}.get(word, word) for word in ADJECTIVES]
PRONOUNS = {
    "ich": "1N", "mich": "1A", "mir": "1D", "du": "2N", "dich": "2A", "dir": "2D",
    "wir": "4N", "uns": "4A 4D", "er": "3N", "ihn": "3A", "ihm": "3D",
    "sie": "3N 3A 6N 6A", "ihr": "3D", "ihnen": "6D",
}  # fmt: skip
DEFINITE = {"der": "mN fD fG pG", "den": "mA pD", "dem": "mD nD", "des": "mG nG", "die": "fN fA pN pA", "das": "nN nA"}
DER_ENDINGS = {"er": "mN fD fG pG", "en": "mA pD", "em": "mD nD", "es": "nN nA mG nG", "e": "fN fA pN pA"}
EIN_ENDINGS = {"": "mN nN nA", "en": "mA pD", "em": "mD nD", "es": "mG nG", "er": "fD fG pG", "e": "fN fA pN pA"}
RELATIVE = {"der": "mN fD", "den": "mA", "dem": "mD nD", "die": "fN fA pN pA", "das": "nN nA", "denen": "pD"}
CONTRACTED = {"im": ("in", "mD nD"), "ins": ("in", "nA"), "vom": ("von", "mD nD"), "zum": ("zu", "mD nD")}
CONTRACTED |= {"zur": ("zu", "fD"), "beim": ("bei", "mD nD")}
UNCONTRACTED = {("in", "dem"), ("in", "das"), ("von", "dem"), ("zu", "dem"), ("zu", "der"), ("bei", "dem")}
PREPOSITIONS = {"in": "AD", "hinter": "D", "neben": "D", "bei": "D", "von": "D", "mit": "D", "zu": "D", "an": "A"}
PREPOSITIONS |= {"auf": "A", "über": "A"}
PLACES = ("in", "hinter", "neben", "bei")
TIMES = ("heute", "jetzt", "gestern", "morgen", "bald", "oft", "immer", "nie", "manchmal")
SENTENCE_ADVERBS = ("vielleicht", "leider", "deshalb")
CONJUNCTIONS = ("weil", "obwohl", "wenn", "bevor", "während")


def _nouns() -> dict[str, set[str]]:
    forms: dict[str, set[str]] = {}
    for entry in NOUNS.replace("\n", ";").split(";"):
        if not entry.strip():
            continue
        singular, gender, genitive, plural, dative = entry.split()
        weak, gender = gender.endswith("!"), gender[0]
        for case in "NADG":
            strong = genitive if case == "G" else singular
            forms.setdefault(genitive if weak and case != "N" else strong, set()).add(gender + case)
            forms.setdefault(dative if case == "D" else plural, set()).add("p" + case)
    return forms


@dataclass(frozen=True)
class Finite:
    persons: str
    takes: str
    """What the verb takes, or `P`/`I` for an auxiliary."""
    perfect: str
    particle: str = ""
    joined: bool = False


def second_present(third: str) -> str:
    """*du* from *er*: *schläft, schläfst*; *isst, isst*."""
    if third in ("ist", "weiß"):
        return {"ist": "bist", "weiß": "weißt"}[third]
    return third if third[-2] in "sßz" else third[:-1] + "st"


def second_past(first: str) -> str:
    """*du* from *ich*: *kaufte, kauftest*; *aß, aßt*; *fand, fandest*; *sah, sahst*."""
    if first[-1] in "sß":
        return first + "t"
    return first + ("est" if first[-1] in "td" else "st")


def _verbs() -> tuple[dict[str, list[Finite]], dict[str, list[tuple[str, str, str]]]]:
    """Finite forms, and infinite ones with what they take, P or I, and the perfect's auxiliary."""
    finite: dict[str, list[Finite]] = {}
    infinite: dict[str, list[tuple[str, str, str]]] = {}
    for entry in VERBS.replace("\n", ";").split(";"):
        if not entry.strip():
            continue
        infinitive, ich, er, past, participle, takes, perfect = entry.split()
        particle, _, base = infinitive.rpartition("|")
        pasts = past + ("n" if past.endswith("e") else "en")
        plural = "sind" if base == "sein" else base
        second = ((second_present(er), "2"), (second_past(past), "2"))
        for form, persons in ((ich, "1"), (er, "3"), (plural, "46"), (past, "13"), (pasts, "46"), *second):
            finite.setdefault(form, []).append(Finite(persons, takes, perfect, particle))
            if particle:
                finite.setdefault(particle + form, []).append(Finite(persons, takes, perfect, particle, joined=True))
        infinite.setdefault(particle + participle, []).append((takes, "P", perfect))
        infinite.setdefault(particle + base, []).append((takes, "I", perfect))
    for entry in AUXILIARIES.replace("\n", ";").split(";"):
        if entry.strip():
            perfect, kind, ich, du, er, plural = entry.split()
            for form, persons in ((ich, "1"), (du, "2"), (er, "3"), (plural, "46")):
                finite.setdefault(form, []).append(Finite(persons, kind, perfect))
    return finite, infinite


NOUN_FORMS = _nouns()
FINITE, INFINITE = _verbs()
