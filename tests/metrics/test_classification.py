"""Per-class scores against scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support

from probeta.metrics.classification import scores_by_class


@pytest.mark.parametrize("classes", [2, 5])
def test_scores_are_those_of_scikit_learn(classes: int) -> None:
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(83, classes, generator=generator)
    y = torch.randint(classes, (83,), generator=generator)
    found = scores_by_class(logits, y)
    expected = precision_recall_fscore_support(y, logits.argmax(1), labels=range(classes), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        for c, value in enumerate(values):
            assert found[f"{name}/{c}"] == pytest.approx(value)
    assert found["f1_macro"] == pytest.approx(expected[2].mean())


def test_a_class_that_is_never_predicted_scores_0() -> None:
    logits = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = scores_by_class(logits, torch.tensor([0, 2]))
    assert found["precision/2"] == found["recall/2"] == found["f1/2"] == 0.0
    assert found["precision/0"] == 0.5
