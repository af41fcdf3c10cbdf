from __future__ import annotations

import statistics

import pytest

from tests.exercises.conftest import Exercise, runs, table


def test_the_phases_are_means_over_their_epochs(exercise: Exercise) -> None:
    folder = exercise(4)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        curve = table(path / "metrics.csv")
        # Of four epochs a tenth is one; the middle one is the second.
        for phase, epochs in {"early": [0], "middle": [1], "late": [3]}.items():
            for layer in ("hidden.0.linear", "hidden.2.linear", "output", "total"):
                mean = statistics.fmean(float(curve[epoch][f"grad_norm/{layer}"]) for epoch in epochs)
                assert float(rows[path.name][f"{phase}/{layer}"]) == pytest.approx(mean, rel=1e-9)
