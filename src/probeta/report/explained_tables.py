"""Tables and charts about explanations: what is explained by what, what interventions cost, what heads are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from probeta.metrics.alignment import agreement
from probeta.report.answer import Cell, Chart, Table, text_cell
from probeta.report.charts import lines, points
from probeta.report.explained_runs import Arrays, Explained
from probeta.report.language import Language
from probeta.stats.intervals import UNBOUNDED, mean_interval
from probeta.stats.ratio import Ratio
from probeta.stats.variance_components import crossed_interval

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


def make_tables(variants: Sequence[Explained], language: Language) -> list[Table]:
    """Those that have rows."""
    say = language.say
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
    return [table for table in tables if table.rows and len(table.head) > 1]


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


def draw_pruning(variants: Sequence[Explained], language: Language) -> list[Chart]:
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
