from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [["data=moons", "data.batch_size=101", "optimizer=adam"], ["model.hidden_size=12", "data.batch_size=5"]],
    ids=["moons", "translation"],
)
def test_two_processes_have_the_losses_of_one_on_the_same_batches(tmp_path: Path, settings: list[str]) -> None:
    command = [sys.executable, "-m", "probeta", "train", *settings, "trainer.max_epochs=4", "figures=none"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name, trainer in (("one", "cpu"), ("two", "ddp")):
        subprocess.run(
            [*command, f"trainer={trainer}", f"hydra.run.dir={name}"],
            cwd=tmp_path, env=environment, check=True, capture_output=True,
        )  # fmt: skip
    one, two = (list(csv.DictReader((tmp_path / name / "metrics.csv").open())) for name in ("one", "two"))
    for metric in ("train/loss", "val/loss"):
        assert [float(row[metric]) for row in two] == pytest.approx([float(row[metric]) for row in one], abs=1e-5)
    assert json.loads((tmp_path / "two" / "result.json").read_text())["status"] == "completed"
