from __future__ import annotations

import json

import pytest

from tests.exercises.conftest import Exercise, runs, table

pytestmark = pytest.mark.slow


def test_errors_are_those_of_the_translations(exercise: Exercise) -> None:
    folder = exercise(16)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, config in runs(folder):
        known = set(json.loads((path / "artifacts/text/text.json").read_text())["target"]["vocabulary"])
        sentences = table(path / "artifacts" / "errors.val.csv")
        words = [word for row in sentences for word in row["reference"].split()]
        own = rows[path.name]
        assert len(sentences) == config["data"]["n_val"]
        assert float(own["errors/unknown"]) == pytest.approx(100 * sum(w not in known for w in words) / len(words))
        for kind in ("order", "omissions", "repetitions", "insertions", "substitutions"):
            count = sum(int(row[kind]) for row in sentences)
            assert float(own[f"errors/{kind}"]) == pytest.approx(100 * count / len(words))
