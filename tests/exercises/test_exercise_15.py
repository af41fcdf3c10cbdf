from __future__ import annotations

from statistics import fmean

import pytest

from tests.exercises.conftest import Exercise, runs, table


def test_the_stable_range_ends_where_the_gradient_has_changed_a_hundredfold(exercise: Exercise) -> None:
    folder = exercise(15)
    [summary] = [
        row for row in table(folder / "summary.csv") if row["variant"] == "as initialised" and row["seed"] == "1"
    ]
    [path] = [path for path, _, config in runs(folder) if path.name == summary["job"]]
    rows = table(path / "measurements.csv")
    for cell in ("rnn", "lstm", "gru"):
        ranges = []
        for seed in {row["seed"] for row in rows}:
            norms = {
                int(row["distance"]): float(row["value"])
                for row in rows
                if (row["cell"], row["seed"], row["quantity"]) == (cell, seed, "state_gradient")
            }
            steps = 0
            while steps + 1 in norms and 0.01 <= norms[steps + 1] / norms[0] <= 100:
                steps += 1
            ranges.append(steps)
        assert len(ranges) == 5
        assert float(summary[f"reach/{cell}"]) == pytest.approx(fmean(ranges))
        rates = [float(r["value"]) for r in rows if (r["cell"], r["quantity"]) == (cell, "rate")]
        assert 0 < min(rates) < float(summary[f"rate/{cell}"]) < max(rates)
