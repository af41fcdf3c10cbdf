from __future__ import annotations

import pytest

from tests.exercises.conftest import Exercise, runs, table


def test_the_gap_is_training_minus_validation_accuracy(exercise: Exercise) -> None:
    folder = exercise(2)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    sizes = set()
    for path, result, config in runs(folder):
        train, val = (right / total for right, total in (result["counts"][f"{s}/acc"] for s in ("train", "val")))
        assert float(rows[path.name]["generalization_gap"]) == pytest.approx(train - val, abs=1e-12)
        sizes.add((config["model"]["width"], config["model"]["depth"]))
    assert sizes == {(width, depth) for width in (8, 32, 128) for depth in (1, 3)}
