"""What a training leaves: figures of the kept weights in evaluation mode, and their hash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from probeta.cli import main
from probeta.inference.load_run import load_run
from probeta.models.weights import weights_sha256


def test_the_boundary_is_that_of_the_weights_that_were_kept(tmp_path: Path) -> None:
    settings = ["data=moons", "data.n_samples=60", "trainer=cpu", "trainer.max_epochs=3", "figures=none"]
    noisy = ["model.batch_norm=true", "model.dropout=0.5", f"hydra.run.dir={tmp_path / 'run'}"]
    assert main(["train", *settings, *noisy]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert sorted(result["counts"]) == ["test/acc", "train/acc", "val/acc"]
    for name, (right, total) in result["counts"].items():
        assert np.float32(right) / np.float32(total) == np.float32(result["metrics"][name])
    assert result["counts"]["train/acc"][1] + sum(result["counts"][f"{s}/acc"][1] for s in ("val", "test")) == 60
    run = load_run(tmp_path / "run")
    with np.load(tmp_path / "run" / "artifacts" / "boundary.npz") as drawn:
        x1, x2 = np.meshgrid(drawn["x1"], drawn["x2"])
        points = torch.tensor(np.stack([x1.ravel(), x2.ravel()], axis=1), dtype=torch.float32)
        with torch.no_grad():
            probability = torch.softmax(run.model(points), dim=-1)[:, 1].reshape(x1.shape)
        np.testing.assert_allclose(drawn["probability"], probability.numpy(), atol=1e-6)
    assert (
        weights_sha256(run.model.state_dict()) == json.loads((run.path / "result.json").read_text())["weights_sha256"]
    )


def test_emulated_bfloat16_is_said_once_before_training_and_translating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False})
    settings = ["trainer=cpu", "trainer.max_epochs=1", "recipe.hidden_size=8", "figures=none", "logger=none"]
    assert main(["train", *settings, "trainer.precision=bf16-mixed", f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    assert (tmp_path / "run" / "run.log").read_text().count("trainer.precision=bf16-mixed is slow here") == 1
    assert main(["translate", f"run={tmp_path / 'run'}", "text=i see", "precision=bf16"]) == 0
    assert capsys.readouterr().err.count("\nprecision=bf16 is slow here") == 1


def test_a_relative_folder_of_data_is_that_of_the_command_under_chdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ending in ("en", "de"):
        (tmp_path / f"train.{ending}").write_text("".join(f"w{i} x\n" for i in range(40)))
    monkeypatch.chdir(tmp_path)
    data = ["data=parallel_text", "data.root=.", "data.source=en", "data.target=de", "data.cache=cache"]
    settings = ["trainer=cpu", "trainer.max_epochs=1", "recipe.hidden_size=8", "figures=none", "logger=none"]
    assert main(["train", *data, *settings, "hydra.job.chdir=true", "hydra.run.dir=run"]) == 0
    assert json.loads((tmp_path / "run" / "artifacts" / "data.json").read_text()) == {"root": str(tmp_path)}
    assert (tmp_path / "cache").is_dir()
    assert not (tmp_path / "run" / "cache").exists()
    assert main(["evaluate", "run=run"]) == 0


@pytest.mark.parametrize("experiment", ["moons_cosine", "perceptron"])
def test_no_epoch_tests_the_initial_weights(experiment: str, train: Callable[..., dict[str, Any]]) -> None:
    result = train(f"experiment={experiment}", "trainer=cpu", "trainer.max_epochs=0", "logger=none")
    assert (result["status"], result["metrics"]["epochs"]) == ("completed", 0)
    assert 0 <= result["metrics"]["test/acc"] <= 1
