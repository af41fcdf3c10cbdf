from __future__ import annotations

import math

import pytest
import torch

from tests.exercises.conftest import Exercise, runs, table


@pytest.mark.slow
def test_norms_are_those_of_the_kept_weights(exercise: Exercise) -> None:
    folder = exercise(14)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, result, _ in runs(folder):
        weights = torch.load(path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        norm = math.sqrt(sum(float((w.double() ** 2).sum()) for name, w in weights.items() if name.startswith("net.")))
        assert float(rows[path.name]["weight_norm"]) == pytest.approx(norm, rel=1e-5)
        train, val = (right / total for right, total in (result["counts"][f"{s}/acc"] for s in ("train", "val")))
        assert float(rows[path.name]["generalization_gap"]) == pytest.approx(train - val, abs=1e-12)
