"""Which runs can be members, and the reason that is told for the others."""

from __future__ import annotations

from typing import Any

import pytest

from probeta.vectorized.grouping import group_trees, reason_against
from tests.vectorized.runs import changed, tree_of


def test_runs_that_differ_in_what_is_a_members_own_share_an_ensemble() -> None:
    tree = tree_of("experiment=moons_dropout")
    own: list[dict[str, Any]] = [
        {"seed": 3}, {"data.seed": 7}, {"optimizer.lr": 0.01}, {"optimizer.weight_decay": 0.1}, {"model.dropout": 0.4},
        {"model.init_scale": 2.0}, {"callbacks.early_stopping.patience": 3}, {"model.class_weight": "balanced"},
    ]  # fmt: skip
    apart: list[dict[str, Any]] = [{"model.width": 5}, {"model.dropout": 0.0}, {"data.noise": 0.1}]
    trees = [changed(tree, changes) for changes in ({}, *own, *apart)]
    assert group_trees(trees) == [list(range(9)), [9], [10], [11]]


def test_folds_share_an_ensemble() -> None:
    trees = [tree_of("experiment=moons_mlp", "data.folds=5", f"data.fold={fold}") for fold in range(5)]
    assert group_trees([*trees, tree_of("experiment=moons_mlp")]) == [[0, 1, 2, 3, 4], [5]]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["checkpoints=all"], "checkpoints=all keeps the Trainer's own state"),
        (["trainer.accumulate_grad_batches=2"], "trainer.accumulate_grad_batches=2 is the Trainer's own"),
        (["trainer.max_epochs=0"], "trainer.max_epochs=0 is the Trainer's own"),
        (["trainer.max_epochs=-1"], "trainer.max_epochs=-1 is the Trainer's own"),
        (["model=perceptron", "data=separable"], "Perceptron does not say that it can be vectorized"),
        (["+optimizer.maximize=true"], "optimizer.maximize cannot vary per run in the vectorized launcher"),
        (
            ["optimizer._target_=torch.optim.RMSprop"],
            "torch.optim.RMSprop cannot have per-member learning rates in the vectorized launcher",
        ),
    ],
)
def test_the_reason_against_a_run_is_told(overrides: list[str], words: str) -> None:
    assert reason_against(tree_of(*overrides)) == words


def test_a_callback_that_needs_the_trainer_is_named_unless_it_does_nothing() -> None:
    tree = tree_of("experiment=moons_mlp")
    average = {"_target_": "probeta.callbacks.average.WeightAverage", "last": None}
    assert reason_against({**tree, "callbacks": {"average": average}}) is None
    assert (
        reason_against({**tree, "callbacks": {"average": {**average, "last": 5}}})
        == "callbacks.average needs a Trainer"
    )
