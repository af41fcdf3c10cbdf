"""Two interleaved half circles: the set that a line cannot separate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.datasets import make_moons

from probeta.data.division import Division
from probeta.data.labelled import LabelledData, Split, class_counts, split_examples
from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError, check_whole


class MoonsData(LabelledData):
    """scikit-learn's `make_moons`, split 60/20/20 (or in folds) and stratified, all from `seed`.

    `imbalance` is the share of class 1 that is kept (by subsampling, in every split alike): 1 keeps
    both moons whole, 0.1 leaves one point of the second moon to ten of the first.

    Args:
        n_samples: points of all three splits, from 20.
        noise: standard deviation of what is added to each coordinate, from 0.
        folds, fold, limit: as in `probeta.data.division.Division`.
    """

    def __init__(
        self,
        n_samples: int = 1200,
        noise: float = 0.15,
        imbalance: float = 1.0,
        seed: int = 42,
        batch_size: int | None = None,
        folds: int | None = None,
        fold: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(Division(seed, folds, fold, limit), batch_size)
        check_whole("n_samples", n_samples, 20)
        if noise < 0:
            raise ConfigError.value("noise", noise, "a number from 0")
        if not 0 < imbalance <= 1:
            raise ConfigError.value("imbalance", imbalance, "a share, 0 < share <= 1")
        self.n_samples, self.noise, self.imbalance = n_samples, noise, imbalance

    def draw(self) -> Mapping[str, Split]:
        x, y = make_moons(n_samples=self.n_samples, noise=self.noise, random_state=self.seed)
        x, y = x.astype(np.float32), y.astype(np.int64)
        if self.imbalance < 1:
            minority = np.flatnonzero(y == 1)
            kept = np.random.default_rng(self.seed).permutation(minority)[: round(len(minority) * self.imbalance)]
            if len(kept) < 5:
                raise ConfigError.value(
                    "imbalance", self.imbalance, f"a share that leaves at least 5 of {len(minority)} points"
                )
            rows = np.sort(np.concatenate([np.flatnonzero(y == 0), kept]))
            x, y = x[rows], y[rows]
        return split_examples(x, y, self.division)

    def foresee(self) -> PointsSpec:
        return PointsSpec(in_features=2, classes=2, class_counts=(1, 1))

    @property
    def spec(self) -> PointsSpec:
        return PointsSpec(in_features=2, classes=2, class_counts=class_counts(self.splits["train"], 2))
