from __future__ import annotations

import pytest

from tests.exercises.conftest import Exercise, runs, table


def test_the_gap_is_training_minus_validation_accuracy(exercise: Exercise) -> None:
    folder = exercise(2)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    sizes = set()
    for path, result, config in runs(folder):
        gap = result["metrics"]["train/acc"] - result["metrics"]["val/acc"]
        assert float(rows[path.name]["generalization_gap"]) == pytest.approx(gap)
        sizes.add((config["model"]["width"], config["model"]["depth"]))
    assert sizes == {(width, depth) for width in (8, 32, 128) for depth in (1, 3)}
