from __future__ import annotations

import csv

import numpy as np
import pytest
import torch

from probeta.callbacks.early_stopping import EarlyStopping
from probeta.errors import ConfigError


class Trainer:
    """What early stopping reads of Lightning's."""

    def __init__(self) -> None:
        self.callback_metrics: dict[str, torch.Tensor] = {}
        self.current_epoch = self.global_step = 0
        self.should_stop = False


def notebook(values: list[float], patience: int, min_delta: float) -> tuple[int, int]:
    """Epoch of the kept weights and of the stop, by the notebook's loop."""
    best, bad, kept = float("inf"), 0, -1
    for epoch, value in enumerate(values):
        if value < best - min_delta:
            best, bad, kept = value, 0, epoch
        else:
            bad += 1
            if bad >= patience:
                return kept, epoch
    return kept, len(values) - 1


@pytest.mark.parametrize("patience", [1, 3, 10])
@pytest.mark.parametrize("min_delta", [0.0, 0.05])
def test_it_stops_and_keeps_what_the_plain_loop_does(patience: int, min_delta: float) -> None:
    values = list(np.abs(np.sin(np.arange(40) * 0.7)) * np.exp(-np.arange(40) / 20))
    callback, trainer, model = EarlyStopping("val/loss", "min", patience, min_delta), Trainer(), torch.nn.Linear(1, 1)
    for epoch, value in enumerate(values):
        with torch.no_grad():
            model.weight.fill_(float(epoch))
        trainer.current_epoch, trainer.callback_metrics = epoch, {"val/loss": torch.tensor(value, dtype=torch.float64)}
        callback.on_train_epoch_end(trainer, model)
        if trainer.should_stop:
            break
    kept, stopped = notebook(values, patience, min_delta)
    assert (callback.best_epoch, epoch) == (kept, stopped)
    callback.restore(model)
    assert float(model.weight) == kept


def test_a_metric_that_is_not_logged_is_named_with_those_that_are() -> None:
    trainer = Trainer()
    trainer.callback_metrics = {"val/loss": torch.tensor(1.0)}
    with pytest.raises(ConfigError, match=r"val/los.*val/loss"):
        EarlyStopping("val/los", "min").on_train_epoch_end(trainer, torch.nn.Linear(1, 1))


def test_epochs_without_the_metric_do_not_count() -> None:
    class Sometimes(torch.nn.Linear):
        @staticmethod
        def logged() -> set[str]:
            return {"val/bleu"}

    callback, trainer, model = EarlyStopping("val/bleu", "max", 2, 0.0), Trainer(), Sometimes(1, 1)
    for epoch in range(30):
        measured = epoch % 3 == 2
        trainer.current_epoch = epoch
        trainer.callback_metrics = {"val/bleu": torch.tensor(5.0 if epoch < 3 else 4.0)} if measured else {}
        callback.on_train_epoch_end(trainer, model)  # type: ignore[arg-type]
        if trainer.should_stop:
            break
    assert (callback.best_epoch, epoch) == (2, 8)


def test_the_best_weights_are_what_is_tested(train, tmp_path) -> None:
    result = train(
        "data=moons", "data.n_samples=60", "trainer=cpu", "optimizer.lr=3.0", "trainer.max_epochs=40",
        "callbacks.early_stopping.patience=8", "callbacks.early_stopping.min_delta=0",
    )  # fmt: skip
    with (tmp_path / "run" / "metrics.csv").open() as file:
        losses = [float(row["val/loss"]) for row in csv.DictReader(file)]
    assert result["metrics"]["best_epoch"] == np.argmin(losses) + 1
    assert result["metrics"]["val/loss"] == pytest.approx(min(losses), rel=1e-6)
    assert len(losses) == result["metrics"]["epochs"] == np.argmin(losses) + 9


def test_without_patience_the_last_weights_are_kept(train) -> None:
    result = train("data=moons", "data.n_samples=60", "trainer=cpu", "trainer.max_epochs=5", "recipe.patience=null")
    assert result["metrics"]["best_epoch"] == 5
