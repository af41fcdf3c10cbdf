"""Exercise 18: heat maps with their patterns named, and whether a change makes attention align better."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from probeta.exercises.results import Results
from probeta.exercises.translations import select_attended
from probeta.metrics.alignment import word_weights
from probeta.metrics.attention_shape import path
from probeta.report.answer import Answer, Cell, Chart, Table, text_cell
from probeta.report.charts import heat
from probeta.report.claims import Expectation
from probeta.report.language import Language

REFERENCE = "plain"
MAPS = 6
"""Sentences that are drawn: two of each label, where there are so many."""

LABELS = ("diagonal", "jumps", "repetitions")

NAMES = {
    "test/bleu": "test BLEU",
    "test/chrf": "test chrF",
    "test/aer": "alignment error rate",
    "test/attention_diagonal": "share of sentences: diagonal",
    "test/attention_jumps": "share of sentences: jumps",
    "test/attention_repetitions": "share of sentences: repetitions",
    "test/attention_entropy": "entropy of the weights, nats",
    "test/attention_coverage": "share of source words read",
}


def labels(entry: dict[str, Any]) -> tuple[str, ...]:
    """The labels of one kept translation, by the rule of `metrics.attention_shape.path`."""
    weights = np.asarray(entry["attention"], dtype=float)
    # The step of <eos> is not kept, and does not count.
    whole = np.vstack([weights, np.zeros((1, weights.shape[1]))])
    return path(word_weights(whole, len(entry["hypothesis"]), len(entry["source"]) - 2)).labels


def join_labels(found: Sequence[str], language: Language) -> str:
    say = language.say
    names = {"diagonal": say("diagonal"), "jumps": say("jumps"), "repetitions": say("repetitions")}
    return ", ".join(names[label] for label in found) or say("none of the three")


def pick_sentences(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two sentences of each label, those that have it alone first; then the first of the others."""
    found: list[dict[str, Any]] = []
    own = [(entry, labels(entry)) for entry in entries]
    for label in LABELS:
        with_label = sorted((len(given), i) for i, (_, given) in enumerate(own) if label in given)
        fresh = [own[i][0] for _, i in with_label if own[i][0] not in found]
        found += fresh[: MAPS // len(LABELS)]
    rest = [entry for entry in entries if entry not in found]
    return [*found, *rest[: MAPS - len(found)]]


def answer(results: Results) -> Answer:
    say = results.say
    plain = results.by_variant.get(REFERENCE, [])
    if not plain:
        return Answer([say("No run has completed yet.")])
    picked = pick_sentences(select_attended(plain[0], "test"))
    told = [shares(results), *results.against("test/aer", REFERENCE)]
    charts = [heat_map(entry, results.language) for entry in picked]
    return Answer(told, results.judge(*expected(results)), [table(results, picked)], charts)


def shares(results: Results) -> str:
    """How often each label is given, where nothing was changed."""
    parts = []
    for label in LABELS:
        values = list(results.of(REFERENCE, f"test/attention_{label}").values())
        parts.append(
            f"{join_labels([label], results.language)} {results.number(100 * fmean(values) if values else None, 3)} %"
        )
    return results.say(
        "Labels of the unchanged model's test sentences (a sentence can have several): {parts}.",
        parts=results.language.list(parts),
    )


def expected(results: Results) -> list[Expectation]:
    """Every change against the unchanged model, in error rate and in each pattern."""
    say, found = results.say, []
    for variant in results.by_variant:
        if variant == REFERENCE:
            continue
        name = results.named(variant)
        improvements = (
            (say("{name}: attention aligns better (a lower error rate).", name=name), "aer", False),
            (say("{name}: more sentences are diagonal.", name=name), "attention_diagonal", True),
            (say("{name}: fewer sentences jump.", name=name), "attention_jumps", False),
            (say("{name}: fewer sentences repeat.", name=name), "attention_repetitions", False),
        )
        for statement, metric, up in improvements:
            sides = [results.of(v, f"test/{metric}") for v in (variant, REFERENCE)]
            above, below = sides if up else sides[::-1]
            found.append(Expectation(statement, above, below))
    return found


def table(results: Results, picked: Sequence[dict[str, Any]]) -> Table:
    """The drawn sentences and what each model's first run makes of them."""
    say, variants = results.say, list(results.by_variant)
    by_source = [
        {tuple(e["source"]): e for e in select_attended(results.by_variant[variant][0], "test")} for variant in variants
    ]
    rows = []
    for entry in picked:
        source = " ".join(entry["source"][1:-1])
        cells = [text_cell(source)]
        for found in by_source:
            own = found.get(tuple(entry["source"]))
            text = "–" if own is None else join_labels(labels(own), results.language)
            cells.append(Cell(text, text, "" if own is None else " ".join(own["hypothesis"]), prose=True))
        rows.append(cells)
    hint = say(
        "Diagonal: at least 6 of 10 steps go on by a word or two. Jumps: a step back, or over two words or more. "
        "Repetitions: three words or more in a row look at the same one. Sentences found by search: two of each label. "
        "The variants' scores are of attention along the reference, these labels along the model's own words."
    )
    head = [say("source"), *(results.say(variant) for variant in variants)]
    return Table(say("Patterns, sentence by sentence"), head, rows, hint)


def heat_map(entry: dict[str, Any], language: Language) -> Chart:
    weights = entry["attention"]
    texts = [[language.decimals(w, 2) if w >= 0.05 else "" for w in row] for row in weights]
    return heat(
        join_labels(labels(entry), language), language.say("source"), language.say("Translation"),
        distinct(entry["source"]), distinct(entry["hypothesis"]), weights, texts, language.say("weight"),
        language.say("Reference:") + " " + " ".join(entry["reference"]),
    )  # fmt: skip


def distinct(words: Sequence[str]) -> list[str]:
    """The same words to a reader; to a chart no two of them are one place on its axis."""
    return [word + "\u200b" * list(words[:i]).count(word) for i, word in enumerate(words)]
