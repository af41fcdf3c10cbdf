from __future__ import annotations

import pytest

from tests.exercises.conftest import Exercise, runs, table


def test_the_gap_and_the_best_epoch_are_those_of_the_run(exercise: Exercise) -> None:
    folder = exercise(9)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, result, _ in runs(folder):
        own, curve = rows[path.name], table(path / "metrics.csv")
        train, val = (right / total for right, total in (result["counts"][f"{s}/acc"] for s in ("train", "val")))
        gap = train - val
        assert float(own["generalization_gap"]) == pytest.approx(gap, abs=1e-12)
        losses = [float(row["val/loss"]) for row in curve]
        assert float(own["best_epoch"]) == losses.index(min(losses)) + 1
