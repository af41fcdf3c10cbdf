"""Every key of Lightning's Trainer is obeyed, or refused with its reason."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import pytorch_lightning as pl

from probeta.config.trainer import CHECKS, REFUSED, check_trainer
from probeta.errors import ConfigError

KEYS = inspect.signature(pl.Trainer).parameters


def test_epochs_without_end_are_said_and_those_of_a_finished_run_are_not_asked_for() -> None:
    check_trainer({"precision": "64-true"})
    with pytest.raises(ConfigError, match="max_epochs=null"):
        check_trainer({"max_epochs": None})
    check_trainer({"max_epochs": None, "max_steps": 5})


def test_every_key_of_the_trainer_has_an_answer() -> None:
    assert set(CHECKS) | set(REFUSED) == set(KEYS)
    assert not set(CHECKS) & set(REFUSED)


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_what_the_run_says_itself_is_refused_with_the_reason(key: str) -> None:
    for value in (KEYS[key].default, None):
        check_trainer({"max_epochs": 1, key: value})
    with pytest.raises(ConfigError) as error:
        check_trainer({"max_epochs": 1, key: 7})
    assert f"trainer.{key}=7" in str(error.value)
    assert REFUSED[key] in str(error.value)


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("devices", [1, "2"], [0, -2, "many"]),
        ("num_nodes", [1], [2]),
        ("precision", [32, "64-true", "bf16-mixed"], ["bf16-true", "16-true", "16", "transformer-engine"]),
        ("max_epochs", [0, 1, -1], [-2, 1.5]),
        ("min_epochs", [None, 3], [0, -1]),
        ("max_steps", [-1, 10], [0, -2]),
        ("min_steps", [None, 10], [0]),
        ("max_time", [None, "00:01:00:00", {"hours": 2}], ["an hour", {"fortnights": 1}]),
        ("limit_train_batches", [None, 1, 0.5, 1.0], [0, 0.0, -1, 1.5]),
        ("limit_val_batches", [0, 0.0, 0.5, 3], [-1, 1.5]),
        ("limit_test_batches", [None, 1, 0.5], [0, 0.0, -1]),
        ("check_val_every_n_epoch", [1, 5], [0, -1, None]),
        ("log_every_n_steps", [0, 50], [-1]),
        ("accumulate_grad_batches", [1, 4], [0]),
        ("gradient_clip_val", [None, 0, 0.5], [-1, float("inf")]),
        ("gradient_clip_algorithm", ["norm", "value"], ["max"]),
        ("profiler", [None, "simple"], ["stopwatch"]),
    ],
)
def test_values_that_a_run_could_not_obey_are_refused_by_key(key: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        check_trainer({"max_epochs": 1, key: value})
    for value in bad:
        with pytest.raises(ConfigError, match=f"trainer.{key}="):
            check_trainer({"max_epochs": 1, key: value})
