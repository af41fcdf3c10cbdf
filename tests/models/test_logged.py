"""A model names what it logs, which is what may be monitored."""

import csv
from pathlib import Path

import pytest

from probeta.config.trust import resolve

RUNS = {
    "mlp": ["data=moons"],
    "perceptron": ["data=separable"],
    "tiny_rnn": ["data=random_sequences"],
    "seq2seq_attn": ["recipe.hidden_size=4", "recipe.embedding_size=4", "decoding.every_n_epochs=1"],
    "transformer": ["model=transformer", "attention=none"],
}


@pytest.mark.parametrize("name", RUNS)
def test_what_a_model_says_it_logs_is_what_an_epoch_logs(train, tmp_path: Path, configure, name: str) -> None:
    train(*RUNS[name], "trainer=cpu", "trainer.max_epochs=1")
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    model = resolve(configure(*RUNS[name]).model._target_, "model")
    assert {key for key, value in row.items() if key.startswith(("train/", "val/")) and value} == model.logged()


def test_epochs_without_validation_neither_improve_nor_count(train) -> None:
    rare = ["trainer.check_val_every_n_epoch=5", "callbacks.early_stopping.patience=3", "trainer.max_epochs=20"]
    assert train("data=moons", "trainer=cpu", *rare)["metrics"]["epochs"] == 20


def test_a_plateau_waits_for_what_training_logs_too(train) -> None:
    assert train("data=random_sequences", "trainer=cpu", "scheduler=plateau", "trainer.max_epochs=2")["metrics"]
