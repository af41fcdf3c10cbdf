from __future__ import annotations

import statistics

import pytest

from tests.exercises.conftest import Exercise, runs, table

OPTIMIZERS = {"SGD": "SGD, momentum 0.9", "Adam": "Adam", "AdamW": "AdamW"}


@pytest.mark.slow
def test_each_optimizer_runs_at_the_rate_that_validated_best_in_the_search(exercise: Exercise) -> None:
    folder = exercise(12)
    losses: dict[str, dict[float, list[float]]] = {}
    for _, result, config in runs(folder / "search"):
        kind = config["optimizer"]["_target_"].rsplit(".", 1)[-1]
        rates = losses.setdefault(OPTIMIZERS[kind], {})
        rates.setdefault(config["optimizer"]["lr"], []).append(result["metrics"]["val/loss"])
    assert losses.keys() == set(OPTIMIZERS.values())
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, config in runs(folder):
        found = losses[rows[path.name]["variant"]]
        best = min(found, key=lambda rate: statistics.fmean(found[rate]))
        assert config["optimizer"]["lr"] == best
