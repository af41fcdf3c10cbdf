from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probeta.data.division import Division
from probeta.data.moons import MoonsData
from probeta.errors import ConfigError


@settings(max_examples=40, deadline=None)
@given(
    folds=st.integers(3, 8),
    sizes=st.lists(st.integers(8, 40), min_size=2, max_size=4),
    seed=st.integers(0, 10**6),
)
def test_each_example_is_tested_once_and_classes_keep_their_shares(folds: int, sizes: list[int], seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    divided = [Division(seed, folds, fold).divide(y) for fold in range(folds)]
    assert np.array_equal(np.sort(np.concatenate([rows["test"] for rows in divided])), np.arange(len(y)))
    for fold, rows in enumerate(divided):
        assert np.array_equal(np.sort(np.concatenate(list(rows.values()))), np.arange(len(y)))
        assert np.array_equal(rows["val"], divided[(fold + 1) % folds]["test"])
        for label, size in enumerate(sizes):
            assert abs(int((y[rows["test"]] == label).sum()) - size / folds) < 1
    lengths = [len(rows["test"]) for rows in divided]
    assert max(lengths) - min(lengths) <= 1


def test_five_folds_have_the_shares_of_one_split() -> None:
    data = MoonsData(n_samples=200, folds=5, fold=4)
    data.setup()
    assert data.facts() == {"examples": {"train": 120, "val": 40, "test": 40}}
    assert data.spec.class_counts == (60, 60)


def test_a_limit_takes_part_of_training_alone_and_smaller_ones_are_parts_of_larger_ones() -> None:
    y = np.repeat([0, 1, 2], [600, 90, 10])
    whole = Division(7).divide(y)
    before: set[int] = set()
    for limit in (3, 10, 50, 200, 420, 10_000):
        rows = Division(7, limit=limit).divide(y)
        assert np.array_equal(rows["test"], whole["test"])
        assert np.array_equal(rows["val"], whole["val"])
        assert len(rows["train"]) == min(limit, 420)
        assert before <= set(rows["train"].tolist()) <= set(whole["train"].tolist())
        before = set(rows["train"].tolist())
        counts = np.bincount(y[rows["train"]])
        assert np.all(np.abs(counts - np.array([600, 90, 10]) / 700 * min(limit, 420)) <= 2)
        assert counts.min() >= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"folds": 2}, "data.folds=2"),
        ({"folds": 5}, r"data.fold=range\(5\)"),
        ({"folds": 5, "fold": 5}, "data.fold=5"),
        ({"fold": 1}, "data.folds=5"),
        ({"limit": 0}, "data.limit=0"),
        ({"seed": -1}, "data.seed=-1"),
    ],
)
def test_a_division_that_cannot_be_is_refused(arguments: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Division(**{"seed": 1, **arguments})


def test_too_many_folds_and_too_few_examples_are_refused() -> None:
    y = np.repeat([0, 1], [20, 4])
    with pytest.raises(ConfigError, match=r"data.folds=5 .*at most 4"):
        Division(1, 5, 0).divide(y)
    with pytest.raises(ConfigError, match=r"data.limit=1 .*at least 2"):
        Division(1, limit=1).divide(y)
