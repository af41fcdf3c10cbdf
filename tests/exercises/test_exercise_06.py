from __future__ import annotations

import pytest

from tests.exercises.conftest import Exercise, runs, table


def test_first_gradients_and_rises_are_those_of_the_curves(exercise: Exercise) -> None:
    folder = exercise(6)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        own, curve = rows[path.name], table(path / "metrics.csv")
        losses = [float(row["train/loss"]) for row in curve]
        rise = max(0.0, *(losses[i + 1] - losses[i] for i in range(len(losses) - 1)))
        assert float(own["first_loss"]) == losses[0]
        assert float(own["largest_rise"]) == pytest.approx(rise)
        assert float(own["first_grad_norm"]) == float(curve[0]["grad_norm/total"])
