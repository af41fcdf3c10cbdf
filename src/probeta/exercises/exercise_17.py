"""Exercise 17: translation with and without attention, and the sentences in which it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, median
from typing import Any

from probeta.exercises.results import Results
from probeta.exercises.translations import sentences
from probeta.report.answer import Answer, Cell, Chart, Table
from probeta.report.charts import lines, points
from probeta.report.claims import Expectation
from probeta.runs.row import RunRow
from probeta.stats.paired_bootstrap import sentence_bleu

PLAIN, ATTENDING = "without attention", "with attention"

NAMES = {
    "test/bleu": "test BLEU",
    "test/chrf": "test chrF",
    "test/exact_match": "test, share exact",
    "train/bleu": "training BLEU",
    "val/bleu": "validation BLEU",
}


@dataclass(frozen=True)
class SeedPair:
    """The two runs of one seed, and the sentence BLEU of each test sentence in both."""

    plain: RunRow
    attending: RunRow
    scores: tuple[Sequence[float], Sequence[float]]

    @property
    def gains(self) -> list[float]:
        return [b - a for a, b in zip(*self.scores, strict=True)]


@lru_cache(maxsize=64)
def scores(path: Any) -> tuple[float, ...]:
    rows = sentences(RunRow("", path, ""), "test")
    return tuple(sentence_bleu([row["hypothesis"] for row in rows], [row["reference"] for row in rows]))


def pairs(results: Results) -> dict[Any, SeedPair]:
    """Seed → its two runs, where both have translated the same sentences."""
    runs = [{run.replicate: run for run in results.by_variant.get(name, [])} for name in (PLAIN, ATTENDING)]
    found = {}
    for seed in runs[0]:
        if seed in runs[1]:
            a, b = runs[0][seed], runs[1][seed]
            if len(scores(a.path)) == len(scores(b.path)) > 0:
                found[seed] = SeedPair(a, b, (scores(a.path), scores(b.path)))
    return found


def answer(results: Results) -> Answer:
    say, found = results.say, pairs(results)
    if not found:
        return Answer([say("No run has completed yet.")])
    gains = mean_gains(found)
    helped, hurt = sum(g > 0 for g in gains), sum(g < 0 for g in gains)
    told = [
        *results.against("test/bleu", PLAIN),
        say(
            "Of {n} test sentences, attention raises the sentence BLEU of {helped} and lowers that of {hurt} (means "
            "over {seeds} seeds).",
            n=len(gains), helped=helped, hurt=hurt, seeds=len(found),
        ),
    ]  # fmt: skip
    return Answer(told, claims(results, found), [examples(results, found, gains)], [by_length(results, found)])


def mean_gains(found: Mapping[Any, SeedPair]) -> list[float]:
    """For each test sentence the mean over seeds of what attention adds to its BLEU."""
    return [fmean(values) for values in zip(*(pair.gains for pair in found.values()), strict=True)]


def lengths(pair: SeedPair) -> list[int]:
    return [len(row["source"].split()) for row in sentences(pair.plain, "test")]


def claims(results: Results, found: Mapping[Any, SeedPair]) -> list[Any]:
    say = results.say
    long, short = {}, {}
    for seed, pair in found.items():
        sizes = lengths(pair)
        middle = median(sizes)
        parts = [[g for g, n in zip(pair.gains, sizes, strict=True) if (n > middle) == side] for side in (True, False)]
        if all(parts):
            long[seed], short[seed] = map(fmean, parts)
    return results.judge(
        Expectation(
            say("At the same budget attention translates better (BLEU)."),
            results.of(ATTENDING, "test/bleu"), results.of(PLAIN, "test/bleu"),
            say("Without it, all of a sentence has to pass through one vector."),
        ),
        Expectation(
            say("With attention more translations are exact."),
            results.of(ATTENDING, "test/exact_match"), results.of(PLAIN, "test/exact_match"),
        ),
        Expectation(
            say("Attention gains more on the longer half of the sentences than on the shorter half."), long, short,
            say("The longer a sentence, the less of it one vector holds."),
        ),
    )  # fmt: skip


def examples(results: Results, found: Mapping[Any, SeedPair], gains: Sequence[float]) -> Table:
    """The three greatest gains and the greatest loss, with the first seed's translations."""
    say, number = results.say, results.number
    seed, pair = next(iter(found.items()))
    order = sorted(range(len(gains)), key=lambda i: (-gains[i], i))
    picked = [(say("helps"), i) for i in order[:3]] + [(say("does not help"), order[-1])]
    plain, attending = sentences(pair.plain, "test"), sentences(pair.attending, "test")
    rows = [
        [
            Cell(name, gains[i], results.language.signed(gains[i], 3)),
            Cell(plain[i]["source"], i, prose=True),
            Cell(plain[i]["reference"], i, prose=True),
            *(
                Cell(rows[i]["hypothesis"], values[i], f"BLEU {number(values[i], 3)}", prose=True)
                for rows, values in zip((plain, attending), pair.scores, strict=True)
            ),
        ]
        for name, i in picked
    ]
    head = [say("Attention"), say("source"), say("reference"), results.named(PLAIN), results.named(ATTENDING)]
    hint = say(
        "Found by search over all test sentences: the greatest gains in sentence BLEU, and the greatest loss, averaged "
        "over the seeds (below the first column). The translations are those of seed {seed}.",
        seed=seed[0] if seed else "",
    )
    return Table(say("Three sentences that attention helps, and one that it does not"), head, rows, hint)


def by_length(results: Results, found: Mapping[Any, SeedPair]) -> Chart:
    """Sentence BLEU of both against the length of the source."""
    say = results.say
    sizes = lengths(next(iter(found.values())))
    at = sorted(set(sizes))
    series = {}
    for side, name in enumerate((PLAIN, ATTENDING)):
        samples = [
            [fmean(v for v, n in zip(pair.scores[side], sizes, strict=True) if n == size) for pair in found.values()]
            for size in at
        ]
        series[say(name)] = points(at, samples)
    hint = say("Mean over seeds; band: lowest to highest.")
    title = say("Sentence BLEU against the length of the source")
    return lines(title, say("source words"), say("BLEU"), series, markers=True, hint=hint)
