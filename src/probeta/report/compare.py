"""Two translators on the same sentences: is the difference in BLEU more than chance, and where is it?"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from probeta.errors import RunDirectoryError
from probeta.metrics.translation import chrf
from probeta.metrics.translation_errors import KINDS
from probeta.report.answer import Answer, Cell, Table, text_cell
from probeta.report.language import Language
from probeta.report.page import Written, page_name, render
from probeta.report.summary import summarise
from probeta.runs.artifacts import Artifacts
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory
from probeta.runs.table import read_pair
from probeta.stats.paired_bootstrap import PairedComparison, paired_bootstrap, sentence_bleu

LEVEL = 0.05


@dataclass(frozen=True)
class Example:
    """A sentence that both runs translated."""

    number: int
    """Line in the run's files, from 1."""
    source: str
    reference: str
    a: str
    b: str
    bleu_a: float
    bleu_b: float


@dataclass(frozen=True)
class RunComparison:
    """What `compare` finds; `markdown` is how it reads."""

    run_a: str
    run_b: str
    split: str
    scores: PairedComparison
    chrf: tuple[float, float]
    """chrF of both on the same lines: beside BLEU, and not tested, so that the page has one verdict."""
    errors_a: dict[str, float]
    """Errors of each kind per 100 reference words; empty where the run did not keep them."""
    errors_b: dict[str, float]
    gains: list[Example]
    """Where B is ahead of A by most, in sentence BLEU."""
    losses: list[Example]

    def markdown(self, language: Language) -> str:
        """For the terminal."""
        say, s, one = language.say, self.scores, language.decimals
        told = (
            say("Paired bootstrap: the two differ (level {level}).", level=language.number(LEVEL))
            if s.p_value < LEVEL
            else say("Paired bootstrap: the two do not differ beyond chance (level {level}).",
                     level=language.number(LEVEL))
        )  # fmt: skip
        heading = say("{b} against {a} ({split}, {n} sentences)", a=self.run_a, b=self.run_b,
                      split=language.split(self.split), n=s.sentences)  # fmt: skip
        difference, low, high = (language.signed(round(value, 2)) for value in (s.difference, s.low, s.high))
        interval = say("{low} to {high}", low=low, high=high)
        gained = language.signed(round(self.chrf[1] - self.chrf[0], 2))
        lines = [
            f"# {heading}",
            "",
            f"| | A | B | {say('B − A (95 % of resamples)')} | p |",
            "|---|---|---|---|---|",
            f"| BLEU | {one(s.bleu_a, 2)} | {one(s.bleu_b, 2)} | {difference} ({interval}) | {one(s.p_value, 4)} |",
            f"| chrF | {one(self.chrf[0], 2)} | {one(self.chrf[1], 2)} | {gained} | |",
            "",
            f"{told} `{s.signature}`",
        ]
        for table in self._errors(language):
            lines += ["", f"| {table.title} | A | B |", "|---|---|---|"]
            lines += [f"| {' | '.join(cell.text for cell in row)} |" for row in table.rows]
        for title, examples in ((say("Where B gains most"), self.gains), (say("Where B loses most"), self.losses)):
            for e in examples:
                bleu = f"BLEU {one(e.bleu_a, 1)} → {one(e.bleu_b, 1)}"
                lines += ["", f"{title}: {say('line')} {e.number}, {bleu}"]
                told_of = ((say("source"), e.source), (say("reference"), e.reference), ("A", e.a), ("B", e.b))
                lines += [f"- {name}: {text}" for name, text in told_of]
        return "\n".join(lines) + "\n"

    def answer(self, language: Language) -> Answer:
        """The same for a page."""
        say, s = language.say, self.scores
        numbers = {
            "difference": language.signed(round(s.difference, 2)),
            "interval": language.interval((round(s.low, 2), round(s.high, 2))),
            "p": language.p(s.p_value),
            "n": s.sentences,
        }
        told = (
            say("B differs from A by {difference} BLEU on {n} test sentences, more than chance (95 % of resamples "
                "{interval}, {p}).", **numbers)
            if s.p_value < LEVEL
            else say("B differs from A by {difference} BLEU on {n} test sentences, no more than chance (95 % of "
                     "resamples {interval}, {p}).", **numbers)
        )  # fmt: skip
        beside = say("chrF: A {a}, B {b}.", a=language.decimals(self.chrf[0], 2), b=language.decimals(self.chrf[1], 2))
        return Answer([told, beside], tables=[*self._errors(language), *self._examples(language)])

    def _errors(self, language: Language) -> list[Table]:
        if not (self.errors_a and self.errors_b):
            return []
        names = error_names(language)
        head = [language.say("kind"), "A", "B"]
        rows = [
            [
                Cell(names[kind]),
                *(Cell(language.decimals(rate[kind], 1), rate[kind]) for rate in (self.errors_a, self.errors_b)),
            ]
            for kind in KINDS
        ]
        return [Table(language.say("Errors per 100 reference words"), head, rows)]

    def _examples(self, language: Language) -> list[Table]:
        say = language.say
        head = [say("line"), say("source"), say("reference"), "A", "B"]
        found = []
        for title, examples in ((say("Where B gains most"), self.gains), (say("Where B loses most"), self.losses)):
            rows = [
                [
                    Cell(str(e.number), e.number),
                    text_cell(e.source, prose=True),
                    text_cell(e.reference, prose=True),
                    *(
                        Cell(text, bleu, f"BLEU {language.decimals(bleu, 1)}", prose=True)
                        for text, bleu in ((e.a, e.bleu_a), (e.b, e.bleu_b))
                    ),
                ]
                for e in examples
            ]
            if rows:
                found.append(Table(title, head, rows))
        return found


def error_names(language: Language) -> dict[str, str]:
    """What a page calls each of `KINDS`."""
    say = language.say
    names = (
        say("order"), say("unknown words"), say("omissions"), say("repetitions"), say("insertions"),
        say("substitutions"),
    )  # fmt: skip
    return dict(zip(KINDS, names, strict=True))


def write_comparison(run_a: str | Path, run_b: str | Path, lang: str = "en") -> Written:
    """`compare`, and its page: `against_<A>.html` in B's folder, with both runs' curves and attention."""
    language = Language(lang)
    found = compare(run_a, run_b)
    sweep = read_pair(run_a, run_b)
    first, second = sweep.runs
    sweep.definition |= {
        "name": f"{second.variant} – {first.variant}",
        "question": language.say("Which of the two translates better, and where?"),
        "command": shlex.join(
            ["probeta", "report", str(run_a), str(run_b), *([] if lang == "en" else [f"lang={lang}"])]
        ),
    }
    page = second.path / page_name(f"against_{first.path.name}", lang)
    write_atomic(page, render(summarise(sweep), language, found.answer(language)))
    return Written(found.markdown(language), page)


def compare(run_a: str | Path, run_b: str | Path, split: str = "test", samples: int = 1000) -> RunComparison:
    """Compare the translations that two finished runs left (`artifacts/errors.<split>.csv`).

    Runs with the same reference words are compared on words (`tok:none`); runs with other tokens, on running
    text (`tok:13a`). Raises `RunDirectoryError` where a run has no translations, or of other sentences.
    """
    folders = [RunDirectory(Path(run).absolute()).artifacts.folder for run in (run_a, run_b)]
    tokenize = "none"
    references, hypotheses = zip(*(_words(folder, split) for folder in folders), strict=True)
    if references[0] != references[1]:
        tokenize = "13a"
        references, hypotheses = (
            tuple(_read(folder, name, split) for folder in folders) for name in ("references", "hypotheses")
        )
        _refuse_other_sentences(folders, references)
    a, b = hypotheses
    scores = paired_bootstrap(a, b, references[0], samples=samples, tokenize=tokenize)
    bleu_a, bleu_b = (sentence_bleu(lines, references[0], tokenize) for lines in (a, b))
    sources = _read(folders[0], "sources", split)
    order = np.argsort(np.subtract(bleu_a, bleu_b), kind="stable")

    def examples(rows: Sequence[int]) -> list[Example]:
        return [
            Example(i + 1, sources[i], references[0][i], a[i], b[i], bleu_a[i], bleu_b[i])
            for i in rows
            if bleu_a[i] != bleu_b[i]
        ]

    return RunComparison(
        run_a=str(run_a),
        run_b=str(run_b),
        split=split,
        scores=scores,
        chrf=(chrf(a, references[0]).value, chrf(b, references[0]).value),
        errors_a=_rates(folders[0], split),
        errors_b=_rates(folders[1], split),
        gains=[e for e in examples(order[:3].tolist()) if e.bleu_b > e.bleu_a],
        losses=[e for e in examples(order[-1:].tolist()) if e.bleu_b < e.bleu_a],
    )


def _words(folder: Path, split: str) -> tuple[list[str], list[str]]:
    """References and hypotheses as words joined by spaces."""
    rows = _read(folder, "errors", split)
    return [row["reference"] for row in rows], [row["hypothesis"] for row in rows]


def _read(folder: Path, name: str, split: str) -> list[Any]:
    artifacts, name = Artifacts(folder), f"{name}.{split}"
    rows: list[Any] | None = artifacts.read(name)
    if rows is None:
        raise RunDirectoryError(f"{artifacts.path(name)} is missing: only finished runs of translators can be compared")
    return rows


def _refuse_other_sentences(folders: Sequence[Path], references: Sequence[list[str]]) -> None:
    first, second = references
    if len(first) != len(second):
        raise RunDirectoryError(
            f"the runs translated other sentences: {len(first)} in {folders[0].parent}, "
            f"{len(second)} in {folders[1].parent}"
        )
    for number, (a, b) in enumerate(zip(first, second, strict=True), 1):
        if a != b:
            raise RunDirectoryError(
                f"the runs translated other sentences: reference {number} is {a!r} in {folders[0].parent} and "
                f"{b!r} in {folders[1].parent}"
            )


def _rates(folder: Path, split: str) -> dict[str, float]:
    found = Artifacts(folder).read(f"analysis.{split}") or {}
    return {kind: float(rate) for kind, rate in found.get("per_100_reference_words", {}).items() if kind in KINDS}
