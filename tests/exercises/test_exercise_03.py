from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from tests.exercises.conftest import Exercise, runs, table


def test_precision_recall_and_f1_are_scikit_learn_s(exercise: Exercise) -> None:
    folder = exercise(3)
    rows = {row["job"]: row for row in table(folder / "summary.csv")}
    for path, _, _ in runs(folder):
        with np.load(path / "artifacts" / "predictions.npz") as arrays:
            y, predicted = arrays["test_y"], arrays["test_logits"].argmax(axis=1)
        found = precision_recall_fscore_support(y, predicted, labels=[0, 1], zero_division=0)
        for name, values in zip(("precision", "recall", "f1"), found[:3], strict=True):
            for c, value in enumerate(values):
                assert float(rows[path.name][f"test/{name}/{c}"]) == pytest.approx(value, abs=1e-6)
