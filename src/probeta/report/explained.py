"""Does the weight explain the word? The answer of runs that explained their words (`decoding.explained`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probeta.metrics.alignment import agreement
from probeta.report.answer import Answer, Cell, Chart, Table, text_cell
from probeta.report.charts import lines, points
from probeta.report.language import Language
from probeta.report.summary import Group, Summary
from probeta.stats.comparisons import ALPHA, holm
from probeta.stats.intervals import UNBOUNDED, mean_interval
from probeta.stats.ratio import Ratio, ratio_of_means, ratio_p
from probeta.stats.variance_components import crossed_interval

HALF = 0.5
"""Share of what can be explained from which on weights are said to explain."""

EXPLANATIONS = {
    "weight": "attention weight",
    "value_norm": "weight × norm of the value",
    "rollout": "rollout",
    "gradient": "gradient × input",
    "integrated": "integrated gradients",
    "left_out": "leave one word out",
}
LINKS = {
    "noun": "nouns", "verb": "verbs", "article": "articles", "particle": "particles", "reordered": "reordered words",
}  # fmt: skip
INTERVENTIONS = {
    "nothing": "nothing changed",
    "gold": "gold links",
    "temperature 0.5": "temperature ½",
    "temperature 2": "temperature 2",
    "random words cut": "a random link of each word cut",
    "top words cut": "the strongest link of each word cut",
    "diagonal": "a diagonal",
    "another's": "another sentence's weights",
    "shuffled": "the own weights, shuffled",
    "uniform": "even weights",
    "all cut": "every link cut",
}
HEADS = {"cross": "source", "encoder": "encoder", "decoder": "decoder"}
LOSSES = {
    "heads/lost": ("exact translations lost", (-1.0, 1.0)),
    "heads/drop": ("what a word loses, nats", UNBOUNDED),
    "heads/aer": ("alignment error rate", (0.0, 1.0)),
}
"""Of heads: array, heading and bounds."""
CHANGES = {"gender": "gender of a noun", "number": "number", "tense": "tense", "verb": "verb"}

BOUNDS = {"tau": (-1.0, 1.0), "aer_of": (0.0, 1.0), "exact": (0.0, 1.0), "bleu": (0.0, 100.0), "drop": UNBOUNDED}
"""What the means of arrays cannot leave."""

Arrays = NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """The runs of one variant: their arrays (`interventions.survey.Survey`), the same sentences in each."""

    name: str
    runs: Sequence[Mapping[str, Any]]

    def stack(self, name: str) -> Arrays | None:
        """`(runs, sentences)` without the sentences that have no such word; `None` where there are none."""
        if not all(name in run for run in self.runs):
            return None
        values = np.array([run[name] for run in self.runs], dtype=float)
        values = values if values.ndim == 2 else values[:, None]
        values = values[:, np.isfinite(values).all(0)]
        return values if values.size else None

    def contrast(self, explanation: str, kind: str = "all") -> tuple[Arrays, Arrays] | None:
        """What an explanation finds beyond a random order, and what leaving words out finds: `(runs, sentences)`;
        `None` without either, or where leaving words out finds nothing."""
        names = [f"area/{name}/{kind}" for name in (explanation, "random", "left_out")]
        stacks = [self.stack(name) for name in names]
        if any(s is None or s.shape != stacks[0].shape for s in stacks):  # type: ignore[union-attr]
            return None
        own, random, most = stacks
        found = random - own, random - most  # type: ignore[operator]
        return found if found[1].mean() > 0 else None

    def share(self, explanation: str, kind: str = "all") -> Ratio | None:
        found = self.contrast(explanation, kind)
        return None if found is None else ratio_of_means(*found)

    def p(self) -> float | None:
        """Of "the weight explains half of what can be explained"."""
        found = self.contrast("weight")
        return None if found is None else ratio_p(*found, HALF)


def explain_attention(summary: Summary, language: Language) -> Answer | None:
    """The page's answer where runs explained their words, else `None`."""
    found = [_read(group) for group in summary.groups]
    variants = [one for one in found if one is not None and one.contrast("weight") is not None]
    if not variants:
        return None
    say = language.say
    sentences = [*_verdicts(variants, language), *_controls(variants, language), *_heads(variants, language)]
    sentences.append(
        say(
            "Explained is a share of what can be explained: by how much the word's probability falls more than in a "
            "random order when the source words that an explanation names first are deleted, over the same of leaving "
            "out each word and looking (0: chance, 1: all). Intervals are over new seeds and new sentences."
        )
    )  # fmt: skip
    tables = [
        _shares(say("Explained, by explanation"), variants, {n: (n, "all") for n in EXPLANATIONS if n != "left_out"},
                EXPLANATIONS, language),
        _shares(say("Explained by the weight, by kind of word"), variants, {k: ("weight", k) for k in LINKS}, LINKS,
                language),
        _means(say("Rank correlation with leave one word out (Kendall's τ)"), variants,
               {n: f"tau/{n}/all" for n in EXPLANATIONS if n != "left_out"}, EXPLANATIONS, language),
        _means(say("Alignment error rate, by explanation"), variants, {n: f"aer_of/{n}" for n in EXPLANATIONS},
               EXPLANATIONS, language),
        _means(say("Exact translations under interventions on attention"), variants,
               {n: f"exact/{n}" for n in INTERVENTIONS}, INTERVENTIONS, language),
        _means(say("BLEU under interventions on attention"), variants,
               {n: f"bleu/{n}" for n in INTERVENTIONS}, INTERVENTIONS, language),
        _means(say("What a word loses, in nats, under interventions on attention"), variants,
               {n: f"drop/{n}" for n in INTERVENTIONS if n != "nothing"}, INTERVENTIONS, language),
        _changes(variants, language),
        *_head_tables(variants, language),
    ]  # fmt: skip
    tables = [table for table in tables if table.rows and len(table.head) > 1]
    return Answer(sentences, tables=tables, charts=_pruning(variants, language))


def _read(group: Group) -> Explained | None:
    runs = [arrays for run in group.runs if run.completed and (arrays := run.artifacts.read("explanations"))]
    return Explained(group.variant, runs) if runs else None


def _verdicts(variants: Sequence[Explained], language: Language) -> list[str]:
    """Which explain, which only translate, of which it is open; Holm's correction over all of them."""
    say = language.say
    p = [one.p() for one in variants]
    corrected = iter(holm([x for x in p if x is not None]))
    sides: dict[str, list[str]] = {"explains": [], "translates": [], "open": []}
    spread = []
    for one, own in zip(variants, p, strict=True):
        share = one.share("weight")
        assert share is not None
        decided = own is not None and next(corrected) < ALPHA
        side = "open" if not decided else "explains" if share.value > HALF else "translates"
        numbers = say("no interval")
        if share.interval is not None:
            numbers = say("95 % interval {interval}", interval=language.interval(rounded(share.interval)))
        name = language.say(one.name)
        sides[side].append(f"{name} ({language.number(share.value, 2)}; {numbers})")
        if side == "open" and (apart := _tell_spread(one, language)):
            spread.append(apart)
    told = {
        "explains": say("The weight explains the word, more than half of what can be explained, in {names}."),
        "translates": say("Attention only translates, and its weight explains less than half, in {names}."),
        "open": say("These results do not tell whether the weight explains more or less than half in {names}."),
    }
    sentences = [told[side].format(names=language.list(names)) for side, names in sides.items() if names] + spread
    tested = sum(x is not None for x in p)
    if tested:
        sentences.append(say("Tested against one half with Holm's correction over {n} kinds.", n=tested))
    return sentences


def _tell_spread(one: Explained, language: Language) -> str | None:
    """How far the runs of a kind that stays open are apart, and whether those explain that align."""
    found = one.contrast("weight")
    aer = [float(run.get("aer/nothing", math.nan)) for run in one.runs]
    if found is None or len(aer) < 3 or not np.isfinite(aer).all():
        return None
    shares = found[0].mean(1) / found[1].mean(1)
    r = correlate_ranks(shares, -np.array(aer))
    if not math.isfinite(r):
        return None
    return language.say(
        "{name}: its {n} runs explain from {low} to {high}; rank correlation of that with how well they align, {r}.",
        name=language.say(one.name), n=len(aer), r=language.number(r, 2),
        low=language.number(float(shares.min()), 2), high=language.number(float(shares.max()), 2),
    )  # fmt: skip


def _controls(variants: Sequence[Explained], language: Language) -> list[str]:
    """What the interventions must do if they do what they say."""
    say, rows = language.say, []
    for names, message in (
        (("exact/nothing", "exact/all cut"),
         say("With every link cut, exact translations fall from {a} to {b} (mean over kinds).")),
        (("link/top/all", "link/others/all"),
         say("A word's strongest link, cut alone, changes what is said by {a} bits; any other by {b}.")),
    ):  # fmt: skip
        means = [np.mean([s.mean() for one in variants if (s := one.stack(name)) is not None]) for name in names]
        rows.append(message.format(a=language.number(float(means[0]), 2), b=language.number(float(means[1]), 2)))
    return rows


def _heads(variants: Sequence[Explained], language: Language) -> list[str]:
    """Whether heads on the source that align are those that matter, of nets with several."""
    say, sentences = language.say, []
    for one in variants:
        values = [r for run in one.runs if math.isfinite(r := correlate_alignment(run))]
        if not values:
            continue
        mean, interval = float(np.mean(values)), mean_interval(values, bounds=BOUNDS["tau"])
        heads = sum(str(name).startswith("cross") for name in one.runs[0]["heads/name"])
        sentences.append(
            say(
                "{name}: whether those of its {heads} heads on the source that align better are those whose removal "
                "costs more exact translations: rank correlation {mean} ({numbers}; {n} runs).",
                name=say(one.name), heads=heads, mean=language.number(mean, 2), n=len(values),
                numbers=language.interval_named(interval) if interval else say("no interval"),
            )
        )  # fmt: skip
    return sentences


def correlate_alignment(run: Mapping[str, Any]) -> float:
    """Of 1 - AER and exact match lost over the heads on the source."""
    cross = np.isfinite(run["heads/aer"])
    return correlate_ranks(run["heads/lost"][cross].mean(1), -run["heads/aer"][cross])


def correlate_ranks(a: Arrays, b: Arrays) -> float:
    """Spearman's correlation; NaN for fewer than 3 or where either is all the same."""
    from scipy.stats import rankdata

    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _shares(
    title: str, variants: Sequence[Explained], columns: Mapping[str, tuple[str, str]], names: Mapping[str, str],
    language: Language,
) -> Table:  # fmt: skip
    """A row per variant, a column per explanation or kind that any of them has, with the sentences that have it."""
    cells = {c: [one.share(*which) for one in variants] for c, which in columns.items()}
    there = [c for c, row in cells.items() if any(row)]
    rows = [
        [text_cell(language.say(one.name)), *(_ratio_cell(cells[c][i], language) for c in there)]
        for i, one in enumerate(variants)
    ]
    heads = [language.say(names[c]) for c in there]
    for i, (name, kind) in enumerate(columns[c] for c in there):
        if kind != "all":
            n = max(found[0].shape[1] for one in variants if (found := one.contrast(name, kind)))
            heads[i] = language.say("{kind} ({n} sentences)", kind=heads[i], n=n)
    return Table(title, [language.say("variant"), *heads], rows)


def _ratio_cell(ratio: Ratio | None, language: Language) -> Cell:
    if ratio is None:
        return Cell("–")
    return Cell(language.number(ratio.value, 2), ratio.value, language.interval(rounded(ratio.interval)))


def rounded(interval: Any) -> tuple[float, float] | None:
    """Two decimals: what an interval over a handful of seeds can say."""
    return None if interval is None else (round(interval.low, 2), round(interval.high, 2))


def _means(
    title: str, variants: Sequence[Explained], rows: Mapping[str, str], names: Mapping[str, str], language: Language
) -> Table:
    """A row per name, a column per variant: the mean, over new seeds and sentences where there are values of both."""
    table = []
    for key, array in rows.items():
        stacks = [one.stack(array) for one in variants]
        if any(s is not None for s in stacks):
            table.append(
                [
                    text_cell(language.say(names[key])),
                    *(_mean_cell(s, language, BOUNDS[array.split("/")[0]]) for s in stacks),
                ]
            )
    return Table(title, ["", *(language.say(one.name) for one in variants)], table)


def _mean_cell(values: Arrays | None, language: Language, bounds: tuple[float, float] = (0.0, 1.0)) -> Cell:
    if values is None:
        return Cell("–")
    mean, small = float(values.mean()), ""
    if min(values.shape) > 1:
        small = language.interval(rounded(crossed_interval(values, bounds=bounds)))
    elif (found := mean_interval(values[:, 0], bounds=bounds)) is not None:
        small = language.interval(rounded(found))
    return Cell(language.number(round(mean, 3), 3), mean, small)


def _changes(variants: Sequence[Explained], language: Language) -> Table:
    """Whether the attended word decides which words change: balanced accuracy, over seeds."""
    rows = []
    for change, name in CHANGES.items():
        cells = [text_cell(language.say(name))]
        for one in variants:
            values = [agreement(run[f"change/{change}"])[2] for run in one.runs if f"change/{change}" in run]
            cells.append(_mean_cell(np.array(values)[:, None] if values else None, language))
        if any(cell.text != "–" for cell in cells[1:]):
            rows.append(cells)
    hint = language.say(
        "One source word is another. Of the words that must then change, the share that had looked most at it; of the "
        "others, the share that had not: the mean of both, ½ by chance. Intervals are over seeds."
    )
    title = language.say("Does the attended word decide which words change?")
    return Table(title, [language.say("what changes"), *(language.say(one.name) for one in variants)], rows, hint)


def _head_tables(variants: Sequence[Explained], language: Language) -> list[Table]:
    """What is lost without each head, of nets with several."""
    say, tables = language.say, []
    for one in variants:
        names = [str(name).split() for name in one.runs[0]["heads/name"]]
        if len(names) < 2:
            continue
        there = [key for key in LOSSES if all(key in run and np.isfinite(run[key]).any() for run in one.runs)]
        rows = []
        for h, (kind, number) in enumerate(names):
            cells = [text_cell(f"{say(HEADS[kind])} {number}")]
            for key in there:
                values = np.array([run[key][h] for run in one.runs], dtype=float).reshape(len(one.runs), -1)
                cells.append(_mean_cell(values if np.isfinite(values).all() else None, language, LOSSES[key][1]))
            rows.append(cells)
        hint = say("What each head attends to, its layer and its number; what is lost where what it reads is gone.")
        title = say("Heads of {name}", name=say(one.name))
        tables.append(Table(title, [say("head"), *(say(LOSSES[key][0]) for key in there)], rows, hint))
    return tables


def _pruning(variants: Sequence[Explained], language: Language) -> list[Chart]:
    """Exact translations against heads gone, of nets with several."""
    say, series = language.say, {}
    for one in variants:
        curves = [run["heads/pruned"] for run in one.runs]
        if len(curves[0]) > 2:
            share = np.arange(len(curves[0])) / (len(curves[0]) - 1)
            series[say(one.name)] = points(share.tolist(), np.array(curves).T.tolist())
    hint = say(
        "Heads are removed in order of what each cost on validation sentences, the cheapest first. "
        "Band: lowest and highest of the seeds."
    )
    title = say("Exact translations as heads are removed")
    return (
        [lines(title, say("share of heads removed"), say("exact match"), series, markers=True, hint=hint)]
        if series
        else []
    )
