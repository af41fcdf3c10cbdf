from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.exercises.conftest import Exercise, runs, table


def test_the_margin_is_that_of_the_kept_weights(exercise: Exercise) -> None:
    folder = exercise(1)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, config in runs(folder):
        weights = torch.load(path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        x = np.random.RandomState(int(rows[path.name]["seed"])).randn(20, 2)
        side = np.sign(x.sum(axis=1))
        points = x + side[:, None] * config["data"]["margin"]
        w, b = weights["net.weight"][0].double().numpy(), float(weights["net.bias"])
        distance = (side * (points @ w + b)).min() / np.linalg.norm(w)
        assert float(rows[path.name]["margin"]) == pytest.approx(distance, abs=1e-3)


def test_separation_is_the_first_epoch_without_an_error(exercise: Exercise) -> None:
    folder = exercise(1)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        right = [
            int(r["epoch"]) + 1 for r in table(path / "metrics.csv") if r["train/acc"] and float(r["train/acc"]) == 1
        ]
        assert rows[path.name]["epochs_to_separation"] == (str(float(right[0])) if right else "")
