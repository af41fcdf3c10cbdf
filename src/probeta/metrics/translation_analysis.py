"""What is wrong with a split's translations: each sentence's errors, their totals, and scores by source length."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from probeta.metrics.groups import scores_by_group
from probeta.metrics.translation_errors import TranslationErrors, analyse, rates, sum_errors

Words = Sequence[str]

LENGTH_EDGES = (5, 10, 15, 20, 30)
"""Upper source lengths, in words, of the groups of a split's analysis."""

KINDS = ("order", "unknown", "omissions", "repetitions", "insertions", "substitutions")


def analyse_split(
    sources: Sequence[Words], hypotheses: Sequence[Words], references: Sequence[Words]
) -> tuple[dict[str, Any], list[TranslationErrors]]:
    """The totals, as `analysis.<split>.json` keeps them, and each sentence's errors."""
    errors = [analyse(h, r) for h, r in zip(hypotheses, references, strict=True)]
    totals = {
        "sentences": len(errors),
        "errors": asdict(sum_errors(errors)),
        "per_100_reference_words": rates(errors),
        "sentences_with": {kind: sum(getattr(e, kind) > 0 for e in errors) for kind in KINDS},
        "bleu_by_source_length": scores_by_group(hypotheses, references, [len(s) for s in sources], LENGTH_EDGES),
    }
    return totals, errors


def write_analysis(
    folder: Path, split: str, sources: Sequence[Words], hypotheses: Sequence[Words], references: Sequence[Words]
) -> None:
    """`analysis.<split>.json` with the totals and `errors.<split>.csv` with one row per sentence, into `folder`."""
    totals, errors = analyse_split(sources, hypotheses, references)
    (folder / f"analysis.{split}.json").write_text(json.dumps(totals, indent=1) + "\n", encoding="utf-8")
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["number", *KINDS, "source", "hypothesis", "reference"])
    for number, sentence in enumerate(zip(sources, hypotheses, references, strict=True)):
        counts = [getattr(errors[number], kind) for kind in KINDS]
        rows.writerow([number, *counts, *(" ".join(words) for words in sentence)])
    (folder / f"errors.{split}.csv").write_text(out.getvalue(), encoding="utf-8")
