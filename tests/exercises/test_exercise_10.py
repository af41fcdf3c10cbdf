from __future__ import annotations

import json
import re
import statistics

import pytest

from probeta.exercises.quantities import deviations
from probeta.stats.values import Values
from tests.exercises.conftest import Exercise, runs, table


def test_stopping_epochs_follow_from_the_validation_losses(exercise: Exercise) -> None:
    folder = exercise(10)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, config in runs(folder):
        stopping = config["callbacks"]["early_stopping"]
        losses = [float(row["val/loss"]) for row in table(path / "metrics.csv")]
        best, kept, waited, stopped = float("inf"), 0, 0, len(losses)
        for epoch, loss in enumerate(losses, 1):
            if loss < best - float(stopping["min_delta"]):
                best, kept, waited = loss, epoch, 0
            else:
                waited += 1
            if waited >= stopping["patience"]:
                stopped = epoch
                break
        assert (float(rows[path.name]["best_epoch"]), float(rows[path.name]["epochs"])) == (kept, stopped)


def test_deviations_are_distances_from_the_median() -> None:
    values = Values({1: 0.2, 2: 0.5, 3: 0.9}, [4])
    assert deviations(values) == pytest.approx({1: 0.3, 2: 0.0, 3: 0.4})
    assert deviations(values).failed == {4}
    assert deviations(Values()) == {}


def test_the_leader_that_the_answer_names_has_the_best_mean(exercise: Exercise) -> None:
    folder = exercise(10)
    means = {group["variant"]: float(group["val/acc mean"]) for group in table(folder / "groups.csv")}
    sentence = json.loads((folder / "answer.json").read_text())["en"]["sentence"]
    assert f"{max(means.values()):.4g}" in sentence
    best = [name for name, mean in means.items() if mean == max(means.values())]
    assert all(name in sentence for name in best) or len(best) == len(means)
    assert re.search(r"\d", sentence)
    assert statistics.fmean(means.values()) <= max(means.values())
