"""What runs of translators say sentence by sentence, for exercises 16 to 18."""

from __future__ import annotations

import csv
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from probeta.report.compare import KINDS
from probeta.runs.table import Run


@lru_cache(maxsize=64)
def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError:
        return []


def sentences(run: Run, split: str) -> list[dict[str, str]]:
    """`errors.<split>.csv`: a row a sentence with its errors of each kind, `source`, `hypothesis`, `reference`."""
    return _rows(run.path / "artifacts" / f"errors.{split}.csv")


def error_rates(run: Run, split: str) -> dict[str, float]:
    """Kind → errors per 100 reference words.

    A translator cannot say a word that it never saw: `unknown` counts the reference's words that are not in the
    training set's vocabulary. What was said instead of them counts among the other kinds.
    """
    artifacts = run.path / "artifacts"
    try:
        found = json.loads((artifacts / f"analysis.{split}.json").read_text(encoding="utf-8"))
        text = json.loads((artifacts / "text" / "text.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = set(text["target"]["vocabulary"])
    words = [word for row in sentences(run, split) for word in row["reference"].split()]
    rates = {kind: float(found["per_100_reference_words"][kind]) for kind in KINDS}
    return rates | {"unknown": 100.0 * sum(word not in known for word in words) / max(len(words), 1)}


def attended(run: Run, split: str) -> list[dict[str, Any]]:
    """The kept translations of `translations.json` that have attention and words."""
    try:
        entries = json.loads((run.path / "artifacts" / "translations.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [entry for entry in entries if entry["split"] == split and entry["attention"] and entry["hypothesis"]]
