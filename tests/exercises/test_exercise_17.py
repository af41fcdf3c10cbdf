from __future__ import annotations

import html
import statistics

import pytest
from sacrebleu import sentence_bleu

from tests.exercises.conftest import Exercise, runs, table

pytestmark = pytest.mark.slow


def test_the_sentences_shown_are_those_of_the_greatest_gains_and_the_greatest_loss(exercise: Exercise) -> None:
    folder = exercise(17)
    scores: dict[tuple[bool, int], list[float]] = {}
    sources: list[str] = []
    for path, result, config in runs(folder):
        rows = table(path / "artifacts" / "errors.test.csv")
        sources = [row["source"] for row in rows]
        scores[config["attention"] is not None, result["seed"]] = [
            sentence_bleu(row["hypothesis"], [row["reference"]], tokenize="none", use_effective_order=True).score
            for row in rows
        ]
    gains = [
        statistics.fmean(scores[True, seed][i] - scores[False, seed][i] for seed in (1, 2)) for i in range(len(sources))
    ]
    page = (folder / "report.html").read_text().split('aria-label="Three sentences')[1].split("</table>")[0]
    shown = [gain for source, gain in zip(sources, gains, strict=True) if html.escape(source, quote=False) in page]
    # By their gains: of sentences that gain alike any may be shown.
    for gain in (*sorted(gains)[-3:], min(gains)):
        assert any(gain == pytest.approx(other) for other in shown)
    assert page.count("<tr>") == 5
