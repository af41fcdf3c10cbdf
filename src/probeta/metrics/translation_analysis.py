"""What is wrong with a split's translations: each sentence's errors, their totals, and scores by source length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from probeta.metrics.groups import scores_by_group
from probeta.metrics.translation_errors import KINDS, TranslationErrors, analyse, rates, sum_errors

Words = Sequence[str]

LENGTH_EDGES = (5, 10, 15, 20, 30)
"""Upper source lengths, in words, of the groups of a split's analysis."""


def analyse_split(
    sources: Sequence[Words], hypotheses: Sequence[Words], references: Sequence[Words]
) -> tuple[dict[str, Any], list[TranslationErrors]]:
    """The totals, as the artifact `analysis.<split>` keeps them, and each sentence's errors."""
    errors = [analyse(h, r) for h, r in zip(hypotheses, references, strict=True)]
    totals = {
        "sentences": len(errors),
        "errors": asdict(sum_errors(errors)),
        "per_100_reference_words": rates(errors),
        "sentences_with": {kind: sum(getattr(e, kind) > 0 for e in errors) for kind in KINDS},
        "bleu_by_source_length": scores_by_group(hypotheses, references, [len(s) for s in sources], LENGTH_EDGES),
    }
    return totals, errors


def analysis(
    split: str, sources: Sequence[Words], hypotheses: Sequence[Words], references: Sequence[Words]
) -> dict[str, Any]:
    """As artifacts of a run: `analysis.<split>` with the totals, `errors.<split>` with one row per sentence."""
    totals, errors = analyse_split(sources, hypotheses, references)
    rows: list[list[Any]] = [["number", *KINDS, "source", "hypothesis", "reference"]]
    for number, sentence in enumerate(zip(sources, hypotheses, references, strict=True)):
        counts = [getattr(errors[number], kind) for kind in KINDS]
        rows.append([number, *counts, *(" ".join(words) for words in sentence)])
    return {f"analysis.{split}": totals, f"errors.{split}": rows}
