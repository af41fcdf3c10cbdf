from __future__ import annotations

import statistics

import pytest

from probeta.exercises.quantities import epochs_to
from tests.exercises.conftest import Exercise, runs, table


@pytest.mark.slow
def test_saturation_and_gradients_are_those_of_the_curves(exercise: Exercise) -> None:
    folder = exercise(5)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        own, curve = rows[path.name], table(path / "metrics.csv")
        layers = [f"saturated/hidden.{i}" for i in range(3)]
        share = statistics.fmean(statistics.fmean(float(row[layer]) for row in curve) for layer in layers)
        assert float(own["saturated_share"]) == pytest.approx(share)
        norms = [float(row["grad_norm/total"]) for row in curve]
        assert float(own["mean_grad_norm"]) == pytest.approx(statistics.fmean(norms))
        first = float(curve[0]["grad_norm/hidden.0.linear"]) / float(curve[0]["grad_norm/output"])
        assert float(own["first_layer_share"]) == pytest.approx(first)
        reached = [row for row in curve if float(row["val/acc"]) >= 0.95]
        expected = int(reached[0]["epoch"]) + 1 if reached else len(curve)
        assert (float(own["epochs_to_target"]), float(own["reached_target"])) == (expected, float(bool(reached)))


def test_a_target_is_reached_at_the_first_epoch_that_has_it() -> None:
    assert epochs_to({0: 0.5, 1: 0.95, 2: 0.9}, 0.95) == 2
    assert epochs_to({2: 0.97, 0: 0.1}, 0.95) == 3
    assert epochs_to({0: 0.5}, 0.95) is None
