"""A finished classifier as a function of points."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from probeta.data.spec import PointsSpec, SequenceSpec
from probeta.errors import ConfigError, DataError
from probeta.inference.load_run import LoadedRun
from probeta.models.classifier import Classifier


def predict(run: LoadedRun, points: Sequence[Sequence[float]]) -> list[list[float]]:
    """The probability of each class at each of `points`, numbers as many as the model reads.

    Raises `ConfigError` for a run of another model, `DataError` for a point of another size.
    """
    if not isinstance(run.model, Classifier):
        raise ConfigError(f"run={run.path} is no classifier: probeta translate reads sentences")
    spec = run.data.spec
    assert isinstance(spec, (PointsSpec, SequenceSpec))
    for number, point in enumerate(points, 1):
        if len(point) != spec.in_features:
            raise DataError(f"point {number} has {len(point)} numbers, and the model reads {spec.in_features}")
    x = torch.tensor(points, dtype=next(run.model.parameters()).dtype)
    with torch.no_grad():
        probabilities: list[list[float]] = torch.softmax(run.model(x), dim=-1).tolist()
    return probabilities
