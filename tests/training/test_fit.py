"""What a training leaves: figures of the kept weights in evaluation mode, and their hash."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
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
