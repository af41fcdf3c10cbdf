from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from probeta.config.build import build, resolve_config
from probeta.errors import ConfigError
from probeta.runs.directory import RunDirectory
from probeta.training import devices


@pytest.fixture
def experiment(configure):
    tree = resolve_config(configure("data=moons", "data.n_samples=60", "model.dropout=0.2", "logger=none"))
    return tree, build(tree)


def test_the_fastest_device_is_taken_and_recorded(experiment, tmp_path: Path, monkeypatch) -> None:
    tree, built = experiment
    monkeypatch.setattr(devices, "available", lambda: {"cpu": torch.device("cpu"), "gpu": torch.device("cpu", 0)})
    monkeypatch.setattr(devices, "step_seconds", lambda e, batch, device: 0.1 if device.index is None else 0.05)
    run = RunDirectory(tmp_path)
    assert devices.choose(tree, built, run) == "gpu"
    assert json.loads((tmp_path / "device.json").read_text())["step_seconds"] == {"cpu": 0.1, "gpu": 0.05}
    monkeypatch.setattr(devices, "step_seconds", lambda *_: 1 / 0)
    assert devices.choose(tree, built, run) == "gpu", "a resumed run takes the device that it had"


def test_a_trial_changes_neither_weights_nor_random_states(experiment) -> None:
    _, built = experiment
    torch.manual_seed(5)
    before = {k: v.clone() for k, v in built.model.state_dict().items()}
    expected = (torch.rand(3), np.random.rand(3), random.random())
    torch.manual_seed(5)
    np.random.seed(7)
    random.seed(9)
    expected = (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random())
    torch.manual_seed(5)
    np.random.seed(7)
    random.seed(9)
    seconds = devices.time_devices(built, {"cpu": torch.device("cpu")})
    assert 0 < seconds["cpu"] < 10
    assert (torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()) == expected
    assert all(torch.equal(before[k], v) for k, v in built.model.state_dict().items())


def test_a_device_on_which_a_step_cannot_run_is_left_out(experiment, monkeypatch) -> None:
    _, built = experiment

    def fail(*_):
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(type(built.model), "measure", fail)
    batch = next(iter(built.data.train_dataloader()))
    assert devices.step_seconds(built, batch, torch.device("cpu")) == float("inf")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_here_is_refused(experiment, tmp_path: Path) -> None:
    tree, built = experiment
    tree = {**tree, "trainer": {**tree["trainer"], "accelerator": "gpu"}}
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu"):
        devices.choose(tree, built, RunDirectory(tmp_path))
