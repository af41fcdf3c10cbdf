from __future__ import annotations

import pytest

from tests.exercises.conftest import Exercise, runs, table


def test_early_numbers_are_those_of_the_first_epochs(exercise: Exercise) -> None:
    folder = exercise(13)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        # A tenth of four epochs would be none: two are the fewest in which a loss can rise.
        first, second = (float(row["train/loss"]) for row in table(path / "metrics.csv")[:2])
        assert float(rows[path.name]["early_rise"]) == pytest.approx(max(0.0, second - first))
        assert float(rows[path.name]["early_loss"]) == pytest.approx((first + second) / 2)
