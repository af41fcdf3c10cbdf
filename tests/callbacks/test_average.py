"""Checkpoint averaging: the mean of the last epochs' weights, also across an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from probeta.callbacks.average import WeightAverage, mean
from probeta.errors import ConfigError


class Line(pl.LightningModule):
    """Fits a line, and notes its weights after every epoch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.history: list[dict[str, np.ndarray]] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        loss: Tensor = (self.net(batch) - batch[:, :1]).square().mean()
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.3)

    def train_dataloader(self) -> DataLoader[Tensor]:
        generator = torch.Generator().manual_seed(1)
        return DataLoader([torch.randn(7, 3, generator=generator) for _ in range(2)], batch_size=None)  # type: ignore[arg-type]

    def on_train_epoch_end(self) -> None:
        self.history.append({name: value.numpy().copy() for name, value in self.state_dict().items()})


def fit(folder: Path, average: WeightAverage, epochs: int, checkpoint: Path | None = None) -> Line:
    model = Line()
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[average],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(model, ckpt_path=checkpoint, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    return model


def test_the_result_is_the_mean_of_the_last_epochs(tmp_path: Path) -> None:
    average = WeightAverage(last=3)
    model = fit(tmp_path, average, 5)
    assert average.apply(model)
    for name, value in model.state_dict().items():
        epochs = [state[name] for state in model.history[-3:]]
        if value.is_floating_point():
            np.testing.assert_allclose(value.numpy(), np.mean(epochs, axis=0), rtol=1e-6)
        else:
            assert value == epochs[-1]


def test_fewer_epochs_than_asked_for_are_all_averaged(tmp_path: Path) -> None:
    average = WeightAverage(last=9)
    model = fit(tmp_path, average, 2)
    average.apply(model)
    expected = np.mean([state["net.0.weight"] for state in model.history], axis=0)
    np.testing.assert_allclose(model.net[0].weight.detach().numpy(), expected, rtol=1e-6)


def test_an_interrupted_run_averages_the_same_epochs(tmp_path: Path) -> None:
    whole = WeightAverage(last=3)
    expected = fit(tmp_path, whole, 5)
    whole.apply(expected)
    fit(tmp_path, WeightAverage(last=3), 2)
    resumed = WeightAverage(last=3)
    model = fit(tmp_path, resumed, 5, tmp_path / "last.ckpt")
    resumed.apply(model)
    for name, value in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)


def test_without_a_number_nothing_is_kept_or_changed(tmp_path: Path) -> None:
    average = WeightAverage()
    model = fit(tmp_path, average, 2)
    before = model.net[0].weight.detach().clone()
    assert not average.apply(model)
    assert torch.equal(model.net[0].weight, before)


def test_the_mean_is_summed_in_double_precision() -> None:
    states = [{"w": torch.tensor([x], dtype=torch.float32)} for x in (1e8, 1.0, -1e8)]
    assert mean(states)["w"].item() == pytest.approx(1 / 3)


def test_a_wrong_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="last=0"):
        WeightAverage(last=0)
