"""A finished classifier as a function of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from probeta.data.spec import PointsSpec, SequenceSpec
from probeta.errors import ConfigError, DataError
from probeta.inference.load_run import LoadedRun
from probeta.models.classifier import Classifier

MOST = 1 << 16
"""Points that the net reads at a time."""


def predict(run: LoadedRun, points: Sequence[Sequence[float]]) -> list[list[float]]:
    """The probability of each class at each of `points`, numbers as many as the model reads, in the data's units.

    Raises `ConfigError` for a run of another model, `DataError` for a point of another size.
    """
    model, spec = check_classifier(run), run.spec
    assert isinstance(spec, (PointsSpec, SequenceSpec))
    for number, point in enumerate(points, 1):
        if len(point) != spec.in_features:
            raise DataError(f"point {number} has {len(point)} numbers, and the model reads {spec.in_features}")
    x = np.asarray(points, dtype=np.float64)
    found: list[list[float]] = probabilities(model, x if run.kept is None else run.kept.encode_points(x)).tolist()
    return found


def check_classifier(run: LoadedRun) -> Classifier:
    if not isinstance(run.model, Classifier):
        raise ConfigError(f"run={run.path} is no classifier: probeta translate reads sentences")
    return run.model


@torch.no_grad()
def probabilities(model: Classifier, x: NDArray[Any]) -> NDArray[Any]:
    """What the net reads, `(N, in_features)` → the probability of each class, `(N, classes)`."""
    dtype = next(model.parameters()).dtype
    parts = [torch.softmax(model(part.to(dtype)), dim=-1) for part in torch.from_numpy(x).split(MOST)]
    found: NDArray[Any] = torch.cat(parts).numpy()
    return found
