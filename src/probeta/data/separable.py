"""Two clouds with a gap between them: what the perceptron was made for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from probeta.data.division import Division
from probeta.data.labelled import LabelledData, Split, class_counts
from probeta.data.spec import PointsSpec
from probeta.errors import check_whole


class SeparableData(LabelledData):
    """Standard normal points in the plane, class 1 where x₀ + x₁ > 0, then pushed `margin` off the line.

    Every point moves by `margin` along both axes, away from the line, which leaves a corridor of width
    2√2·margin. All points train; the same points validate and test, as the notebook reports it, since
    what is asked here is whether the rule converges (`note` says so). A negative margin makes the
    clouds overlap.

    Args:
        n_samples: points.
    """

    def __init__(
        self, n_samples: int = 200, margin: float = 0.4, seed: int = 42, batch_size: int | None = None
    ) -> None:
        super().__init__(Division(seed), batch_size)
        self.n_samples, self.margin = check_whole("n_samples", n_samples, 4), margin
        self.note = "validation and test are the training points: the question here is convergence"

    def draw(self) -> Mapping[str, Split]:
        # The legacy generator: the points are then the notebook's own, to the last bit.
        x = np.random.RandomState(self.seed).randn(self.n_samples, 2)
        y = (x.sum(axis=1) > 0).astype(np.int64)
        x = x + (2 * y[:, None] - 1) * self.margin
        split = Split(torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y))
        return {"train": split, "val": split, "test": split}

    def foresee(self) -> PointsSpec:
        return PointsSpec(in_features=2, classes=2, class_counts=(1, 1))

    @property
    def spec(self) -> PointsSpec:
        return PointsSpec(in_features=2, classes=2, class_counts=class_counts(self.splits["train"], 2))
