"""A model names what it logs, which is what may be monitored."""

import csv
import re
from pathlib import Path

import pytest

from probeta.config.build import check
from probeta.config.trust import resolve
from probeta.data.moons import MoonsData

RUNS = {
    "mlp": ["data=moons"],
    "perceptron": ["data=separable"],
    "tiny_rnn": ["data=random_sequences"],
    "seq2seq_attn": ["recipe.hidden_size=4", "recipe.embedding_size=4", "decoding.every_n_epochs=1"],
    "transformer": ["model=transformer", "attention=none"],
}

SMALL = [f"data.{key}" for key in ("n_samples=60", "n_val=20", "n_test=20", "max_depth=0", "max_length=8")]
TINY = ["model.hidden_size=4", "decoding.every_n_epochs=1"]
GOLD = {
    "grammar": ["data=grammar", *SMALL, *TINY, "model=seq2seq_attn"],
    "grammar_transformer": ["data=grammar", *SMALL, *TINY, "model=transformer", "model.heads=2", "attention=none"],
}


@pytest.mark.parametrize("name", RUNS)
def test_what_a_model_says_it_logs_is_what_an_epoch_logs(train, tmp_path: Path, configure, name: str) -> None:
    train(*RUNS[name], "trainer=cpu", "trainer.max_epochs=1")
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    model = resolve(configure(*RUNS[name]).model._target_, "model")
    assert {key for key, value in row.items() if key.startswith(("train/", "val/")) and value} == model.logged()


@pytest.mark.parametrize("name", [*RUNS, "grammar", "grammar_transformer"])
def test_what_a_model_says_it_reports_is_what_a_run_reports(train, configure, name: str) -> None:
    lines = [*GOLD.get(name, RUNS.get(name, [])), "trainer=cpu"]
    reported = check(configure(*lines))
    measured = {*train(*lines, "trainer.max_epochs=1")["metrics"]}
    # Groups by length and reordering need sentences enough.
    assert {key for key in reported - measured if not re.search(r"_(length|reordering)_", key)} == set()
    assert measured <= reported


def test_scores_are_of_the_classes_that_there_are(configure, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_recalls(*lines: str) -> set[str]:
        return {name for name in check(configure(*lines)) if name.startswith("test/recall/")}

    assert find_recalls("data=moons") == {"test/recall/0", "test/recall/1"}
    assert find_recalls("data=iris") == {f"test/recall/{name}" for name in ("setosa", "versicolor", "virginica")}
    monkeypatch.setattr(MoonsData, "foresee", lambda self: None)
    assert find_recalls("data=moons") == {"test/recall/*"}


def test_without_attention_none_is_scored(configure) -> None:
    assert not any("aer" in name for name in check(configure("data=grammar", "model=seq2seq", "attention=none")))


def test_epochs_without_validation_neither_improve_nor_count(train) -> None:
    rare = ["trainer.check_val_every_n_epoch=5", "callbacks.early_stopping.patience=3", "trainer.max_epochs=20"]
    assert train("data=moons", "trainer=cpu", *rare)["metrics"]["epochs"] == 20


def test_a_plateau_waits_for_what_training_logs_too(train) -> None:
    assert train("data=random_sequences", "trainer=cpu", "scheduler=plateau", "trainer.max_epochs=2")["metrics"]
