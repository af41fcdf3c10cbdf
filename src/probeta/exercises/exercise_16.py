"""Exercise 16: few pairs by heart, then more data, and the errors that stay."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from probeta.exercises.results import Results
from probeta.exercises.translations import error_rates, sentences
from probeta.report.answer import Answer, Cell, Chart, Table, text_cell
from probeta.report.charts import heat, lines, points
from probeta.report.claims import Expectation
from probeta.report.compare import KINDS, error_names
from probeta.runs.row import RunRow

BY_HEART = 99.5
"""BLEU from which on a training set counts as learned by heart."""

NAMES = {
    "train/bleu": "training BLEU",
    "val/bleu": "validation BLEU",
    "val/chrf": "validation chrF",
    "val/exact_match": "validation, share exact",
    "errors/order": "order, per 100 words",
    "errors/unknown": "unknown words, per 100 words",
    "errors/omissions": "omissions, per 100 words",
    "errors/repetitions": "repetitions, per 100 words",
    "errors/insertions": "insertions, per 100 words",
    "errors/substitutions": "substitutions, per 100 words",
}


def derive(run: RunRow) -> dict[str, float]:
    return {f"errors/{kind}": rate for kind, rate in error_rates(run, "val").items()}


def answer(results: Results) -> Answer:
    say, sizes = results.say, list(results.by_variant)
    if not sizes:
        return Answer([say("No run has completed yet.")])
    first, last = sizes[0], sizes[-1]
    scores = [run.metrics["train/bleu"] or 0.0 for run in results.by_variant[first]]
    claims = [
        results.counted(
            say("{name} are learned by heart: BLEU on them reaches its maximum.", name=results.named(first)),
            sum(score >= BY_HEART for score in scores), len(scores),
            say("The net has far more parameters than so few sentences have words."),
        ),
        *results.judge(*better(results, sizes), *fewer(results, sizes[1:])),
    ]  # fmt: skip
    return Answer(
        [by_heart(results, first), results.lead("val/bleu"), typical(results, last), unseen(results, first, last)],
        claims,
        [examples(results, last)],
        [scores_by_size(results), errors_by_size(results)],
    )


def mean(results: Results, variant: str, metric: str) -> float | None:
    values = results.of(variant, metric).values()
    return fmean(values) if values else None


def by_heart(results: Results, variant: str) -> str:
    return results.say(
        "{name}: BLEU is {train} on the pairs trained on, and {val} on validation (means over seeds, of 100).",
        name=results.named(variant),
        train=results.number(mean(results, variant, "train/bleu")),
        val=results.number(mean(results, variant, "val/bleu")),
    )


def typical(results: Results, variant: str) -> str:
    """The kinds of error that stay, most frequent first."""
    names = error_names(results.language)
    rates = {kind: mean(results, variant, f"errors/{kind}") or 0.0 for kind in KINDS if kind != "unknown"}
    ordered = sorted(rates, key=lambda kind: -rates[kind])
    parts = results.language.list(f"{names[kind]} {results.number(rates[kind], 2)}" for kind in ordered)
    return results.say(
        "What stays wrong with {name}, per 100 words of the validation references, most frequent first: {parts}.",
        name=results.named(variant), parts=parts,
    )  # fmt: skip


def unseen(results: Results, first: str, last: str) -> str:
    few, many = (results.number(mean(results, name, "errors/unknown"), 2) for name in (first, last))
    return results.say(
        "Of 100 words of the validation references {few} are unknown after {first}, and {many} after {last}.",
        few=few, many=many, first=results.named(first), last=results.named(last),
    )  # fmt: skip


def better(results: Results, sizes: Sequence[str]) -> list[Expectation]:
    return [
        Expectation(
            results.say("{more} translate unseen sentences better than {fewer}.",
                        more=results.named(more), fewer=results.named(less)),
            results.of(more, "val/bleu"), results.of(less, "val/bleu"),
        )
        for less, more in pairwise(sizes)
    ]  # fmt: skip


def fewer(results: Results, sizes: Sequence[str]) -> list[Expectation]:
    """Which errors more data take away; unknown words follow from the data alone, and no seed changes them."""
    if len(sizes) < 2:
        return []
    names = error_names(results.language)
    return [
        Expectation(
            results.say("{kind}: fewer after {more} than after {less}.", kind=names[kind].capitalize(),
                        more=results.named(sizes[-1]), less=results.named(sizes[0])),
            results.of(sizes[0], f"errors/{kind}"), results.of(sizes[-1], f"errors/{kind}"),
        )
        for kind in ("order", "omissions")
    ]  # fmt: skip


def examples(results: Results, variant: str) -> Table:
    """Of each kind the validation sentence that has most of it, in the first run of the variant."""
    say, names, rows = results.say, error_names(results.language), []
    found = sentences(results.by_variant[variant][0], "val")
    for kind in KINDS:
        worst = max(found, key=lambda row: int(row[kind]), default=None)
        if worst is not None and int(worst[kind]):
            cells = [text_cell(worst[part], prose=True) for part in ("source", "reference", "hypothesis")]
            rows.append([Cell(names[kind], names[kind], worst[kind]), *cells])
    head = [say("kind"), say("source"), say("reference"), say("Translation")]
    hint = say(
        "Of each kind the sentence with most errors of it, found by search in the first run of {name}.",
        name=results.named(variant),
    )
    return Table(say("Typical errors"), head, rows, hint)


def scores_by_size(results: Results) -> Chart:
    sizes = results.levels("data.n_samples")
    series = {
        results.metric(metric): points(
            sizes, [list(results.at(metric, **{"data.n_samples": size}).values()) for size in sizes]
        )
        for metric in ("train/bleu", "val/bleu")
    }
    say = results.say
    title, hint = say("BLEU against the number of training pairs"), say("Mean over seeds; band: lowest to highest.")
    return lines(title, say("training pairs"), say("BLEU"), series, log_x=True, markers=True, hint=hint)


def errors_by_size(results: Results) -> Chart:
    say, names = results.say, error_names(results.language)
    table = [[mean(results, variant, f"errors/{kind}") for kind in KINDS] for variant in results.by_variant]
    return heat(
        say("Errors by kind and number of pairs"), say("kind"), "", [names[kind] for kind in KINDS],
        [say(variant) for variant in results.by_variant], table, results.texts(table, 2),
        say("per 100 reference words"),
    )  # fmt: skip
