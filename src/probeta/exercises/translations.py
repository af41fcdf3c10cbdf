"""What runs of translators say sentence by sentence, for exercises 16 to 18."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from probeta.report.compare import KINDS
from probeta.runs.artifacts import Artifacts
from probeta.runs.row import RunRow


@lru_cache(maxsize=64)
def _rows(artifacts: Artifacts, name: str) -> list[dict[str, str]]:
    return artifacts.read(name) or []


def sentences(run: RunRow, split: str) -> list[dict[str, str]]:
    """`errors.<split>.csv`: one row per sentence with its errors of each kind, `source`, `hypothesis`, `reference`."""
    return _rows(run.artifacts, f"errors.{split}")


def error_rates(run: RunRow, split: str) -> dict[str, float]:
    """Kind → errors per 100 reference words.

    A translator cannot say a word that it never saw: `unknown` counts the reference's words that are not in the
    training set's vocabulary. What was said instead of them counts among the other kinds.
    """
    found, vocabulary = run.artifacts.read(f"analysis.{split}"), run.artifacts.vocabulary("target")
    if found is None or vocabulary is None:
        return {}
    known = set(vocabulary)
    words = [word for row in sentences(run, split) for word in row["reference"].split()]
    rates = {kind: float(found["per_100_reference_words"][kind]) for kind in KINDS}
    return rates | {"unknown": 100.0 * sum(word not in known for word in words) / max(len(words), 1)}


def select_attended(run: RunRow, split: str) -> list[dict[str, Any]]:
    """The kept translations that have attention and words."""
    entries = run.artifacts.translations()
    return [entry for entry in entries if entry["split"] == split and entry["attention"] and entry["hypothesis"]]
