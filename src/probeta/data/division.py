"""How examples are divided into training, validation and test: by shares or in folds, whole or the first so many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probeta.errors import ConfigError, check_whole, check_whole_or_null

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Division:
    """Which rows train, validate and test, with the classes' shares kept in each.

    Of k folds, number `fold` is the test set, the next one (after the last the first) the validation set, and the
    other k - 2 train: five folds have the shares 60/20/20. Each example is in the test set of one fold; the training
    sets of any two overlap. `limit` takes part of the training set alone: those of smaller limits are parts of those
    of larger ones, and validation and test stay as they are.

    Args:
        seed: of the shuffling, from 0.
        folds: from 3; null for one division by shares.
        fold: which one is the test set, from 0.
        limit: training examples at most; null for all.
    """

    seed: int
    folds: int | None = None
    fold: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        check_whole("data.seed", self.seed, 0, 2**32 - 1)
        check_whole_or_null("data.folds", self.folds, 3, "for one split by shares")
        check_whole_or_null("data.limit", self.limit, meaning="for all training examples")
        if self.folds is None and self.fold is not None:
            raise ConfigError(f"data.fold={self.fold} is not accepted: say of how many, as in data.folds=5")
        if self.folds is not None:
            if self.fold is None:
                raise ConfigError(f"data.fold is missing: 'data.fold=range({self.folds})' tests on each in turn")
            check_whole("data.fold", self.fold, 0, self.folds - 1)

    def divide(self, y: Rows, shares: Sequence[float] = (0.6, 0.2, 0.2)) -> Mapping[str, Rows]:
        """The rows of `train`, `val` and `test` of examples with the classes `y (N,)`.

        Args:
            shares: of the three, where there are no folds.

        Raises:
            ConfigError: a class is too rare for so many folds, or there are more classes than `limit`.
        """
        rows = self._cut(y, shares) if self.folds is None else self._fold(y)
        return rows if self.limit is None else {**rows, "train": self._first(rows["train"], y)}

    def _cut(self, y: Rows, shares: Sequence[float]) -> dict[str, Rows]:
        from sklearn.model_selection import train_test_split

        _, val, test = shares
        train, rest = train_test_split(np.arange(len(y)), test_size=val + test, random_state=self.seed, stratify=y)
        held, tested = train_test_split(rest, test_size=test / (val + test), random_state=self.seed, stratify=y[rest])
        return {"train": train, "val": held, "test": tested}

    def _fold(self, y: Rows) -> dict[str, Rows]:
        from sklearn.model_selection import StratifiedKFold

        assert self.folds is not None
        assert self.fold is not None
        rarest = int(np.unique(y, return_counts=True)[1].min())
        if rarest < self.folds:
            raise ConfigError.value("data.folds", self.folds, f"at most {rarest}, the examples of the rarest class")
        cut = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        parts = [part for _, part in cut.split(np.zeros(len(y)), y)]
        held = (self.fold + 1) % self.folds
        train = np.concatenate([part for i, part in enumerate(parts) if i not in (self.fold, held)])
        return {"train": train, "val": parts[held], "test": parts[self.fold]}

    def _first(self, train: Rows, y: Rows) -> Rows:
        """`limit` of the rows `train`: one of each class, then those that keep the classes' shares."""
        assert self.limit is not None
        order = np.random.default_rng(self.seed).permutation(train)
        place = np.empty(len(order))
        classes = np.unique(y[order])
        if self.limit < len(classes):
            raise ConfigError.value("data.limit", self.limit, f"at least {len(classes)}, one of each class")
        for label in classes:
            own = np.flatnonzero(y[order] == label)
            place[own] = (np.arange(len(own)) + 0.5) / len(own)
            place[own[0]] = 0.0
        return order[np.argsort(place, kind="stable")[: self.limit]]
