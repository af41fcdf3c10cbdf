from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import torch

from probeta.callbacks.pruning import Pruning
from probeta.errors import ConfigError


def trained(folder: Path, curve: list[float]) -> int:
    """Epochs that a run with this validation curve trains for."""
    trainer: Any = SimpleNamespace(default_root_dir=str(folder), should_stop=False, callback_metrics={})
    callback = Pruning("val/loss", every_n_epochs=1)
    callback.on_fit_start(trainer, None)  # type: ignore[arg-type]
    for epoch, value in enumerate(curve):
        trainer.current_epoch = epoch
        trainer.callback_metrics["val/loss"] = torch.tensor(value)
        callback.on_train_epoch_end(trainer, None)  # type: ignore[arg-type]
        if trainer.should_stop:
            return epoch + 1
    return len(curve)


def test_a_trial_that_others_beat_is_given_up(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/search.db"
    study = optuna.create_study(study_name="search", storage=storage, direction="minimize")
    for _ in range(5):
        trial = study.ask()
        for epoch in range(4):
            trial.report(0.5, epoch)
        study.tell(trial, 0.5)
    for name, curve, epochs in (("worse", [0.9] * 4, 1), ("better", [0.1] * 4, 4)):
        folder = tmp_path / name
        folder.mkdir()
        note = {"study": "search", "trial": study.ask()._trial_id, "pruner": "median"}
        (folder / "trial.json").write_text(json.dumps(note))
        assert trained(folder, curve) == epochs
        assert (folder / "pruned.json").exists() == (name == "worse")


def test_a_run_of_its_own_is_never_given_up(tmp_path: Path) -> None:
    assert trained(tmp_path, [9.0] * 6) == 6
    assert list(tmp_path.iterdir()) == []


def test_no_epochs_between_reports_is_refused() -> None:
    with pytest.raises(ConfigError, match="every_n_epochs"):
        Pruning("val/loss", every_n_epochs=0)


def test_only_the_database_beside_the_run_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "sweep" / "run"
    folder.mkdir(parents=True)
    note = {"storage": f"sqlite:///{tmp_path}/elsewhere.db", "study": "search", "trial": 1, "pruner": "none"}
    (folder / "trial.json").write_text(json.dumps(note))
    assert trained(folder, [9.0] * 3) == 3
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["trial.json"]
