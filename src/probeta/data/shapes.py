"""Sets in the plane that show what a line, a hidden layer and depth are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_blobs, make_circles

from probeta.data.division import Division
from probeta.data.labelled import LabelledData, Split, class_counts, split_examples
from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError, check_whole

Points = tuple[NDArray[np.float64], NDArray[np.int64]]


def draw_circles(count: int, noise: float, classes: int, seed: int) -> Points:
    """scikit-learn's `make_circles`: class 0 on the unit circle, class 1 on one half as wide."""
    x, y = make_circles(count, noise=noise, random_state=seed, factor=0.5)
    return x, y


def draw_blobs(count: int, noise: float, classes: int, seed: int) -> Points:
    """scikit-learn's `make_blobs`: Gaussian clouds of deviation `noise` around the corners of a regular polygon."""
    angle = 2 * np.pi * np.arange(classes) / classes
    x, y = make_blobs(count, centers=np.stack([np.cos(angle), np.sin(angle)], 1), cluster_std=noise, random_state=seed)
    return x, y


def draw_spirals(count: int, noise: float, classes: int, seed: int) -> Points:
    """Arms of one and a half turns from the centre, a class each."""
    generator, y = np.random.default_rng(seed), np.arange(count) % classes
    radius = np.sqrt(generator.random(count))
    angle = 3 * np.pi * radius + 2 * np.pi * y / classes
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return x + generator.normal(scale=noise, size=x.shape), y


def draw_xor(count: int, noise: float, classes: int, seed: int) -> Points:
    """Uniform in the square from −1 to 1; class 1 where the coordinates' signs differ, before noise is added."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(-1, 1, (count, 2))
    return x + generator.normal(scale=noise, size=x.shape), (x[:, 0] * x[:, 1] < 0).astype(np.int64)


SHAPES: Mapping[str, Callable[[int, float, int, int], Points]] = {
    "circles": draw_circles, "blobs": draw_blobs, "spirals": draw_spirals, "xor": draw_xor,
}  # fmt: skip
TWO = ("circles", "xor")
"""Those of exactly two classes."""


class ShapesData(LabelledData):
    """Points in the plane by the `draw_…` of their shape, split 60/20/20 (or in folds) and stratified, all from `seed`.

    Args:
        shape: `circles`, `blobs`, `spirals` or `xor`.
        n_samples: points of all three splits, from 10 for each class.
        noise: standard deviation of what is added to each coordinate, from 0.
        classes: from 2, of blobs and spirals; circles and xor have two.
        seed: what the points are drawn and split by.
        batch_size: points in a training batch; null for the full batch.
        folds, fold, limit: as in `probeta.data.division.Division`.
    """

    def __init__(
        self,
        shape: str,
        n_samples: int = 1200,
        noise: float = 0.1,
        classes: int = 2,
        seed: int = 42,
        batch_size: int | None = None,
        folds: int | None = None,
        fold: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(Division(seed, folds, fold, limit), batch_size)
        if shape not in SHAPES:
            raise ConfigError.unknown("shape", shape, SHAPES)
        if noise < 0:
            raise ConfigError.value("noise", noise, "a number from 0")
        check_whole("classes", classes, 2, 2 if shape in TWO else None)
        check_whole("n_samples", n_samples, 10 * classes)
        self.shape, self.n_samples, self.noise, self.classes = shape, n_samples, noise, classes

    def draw(self) -> Mapping[str, Split]:
        x, y = SHAPES[self.shape](self.n_samples, self.noise, self.classes, self.seed)
        return split_examples(x.astype(np.float32), y.astype(np.int64), self.division)

    def foresee(self) -> PointsSpec:
        return PointsSpec(2, self.classes, (1,) * self.classes)

    @property
    def spec(self) -> PointsSpec:
        return PointsSpec(2, self.classes, class_counts(self.splits["train"], self.classes))
