"""The analysis of a split: totals that are the sentences' sums, and files that read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from probeta.metrics.translation_analysis import KINDS, analyse_split, analysis
from probeta.runs.artifacts import Artifacts

SOURCES = [["i", "see", "a", "dog"], ["good", "night"], ["a", "b", "c", "d", "e", "f"]]
HYPOTHESES = [["ich", "sehe", "hund", "einen"], ["gute", "<unk>"], ["a", "b", "c", "c", "e", "f"]]
REFERENCES = [["ich", "sehe", "einen", "hund"], ["gute", "nacht"], ["a", "b", "c", "d", "e", "f"]]


def test_totals_are_the_sums_of_the_sentences() -> None:
    totals, errors = analyse_split(SOURCES, HYPOTHESES, REFERENCES)
    assert totals["sentences"] == 3
    assert {kind: totals["errors"][kind] for kind in KINDS if totals["errors"][kind]} == {
        "order": 1,
        "unknown": 1,
        "repetitions": 1,
    }
    assert totals["sentences_with"]["order"] == 1
    assert [errors[i].correct for i in range(3)] == [3, 1, 5]
    assert [(g["from"], g["to"], g["count"]) for g in totals["bleu_by_source_length"]] == [(2, 5, 2), (6, 10, 1)]
    assert [g["exact_match"] for g in totals["bleu_by_source_length"]] == [0.0, 0.0]


def test_the_files_hold_a_row_a_sentence(tmp_path: Path) -> None:
    Artifacts(tmp_path).write(analysis("test", SOURCES, HYPOTHESES, REFERENCES))
    totals, _ = analyse_split(SOURCES, HYPOTHESES, REFERENCES)
    assert json.loads((tmp_path / "analysis.test.json").read_text()) == totals
    with (tmp_path / "errors.test.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[1]["unknown"] == "1"
    assert rows[0]["hypothesis"] == "ich sehe hund einen"
    assert sum(int(row["order"]) for row in rows) == 1
