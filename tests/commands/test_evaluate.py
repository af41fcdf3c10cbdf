"""What `probeta evaluate` says of a run whose recorded metrics are, or are not, those of its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from probeta.cli import main

EARLIER = Path(__file__).parents[1] / "runs" / "earlier" / "classifier"


@pytest.mark.parametrize(
    ("factor", "status", "said"),
    [
        (1 + 1e-12, 0, "the same as the run recorded, but for rounding"),
        (1 + 1e-6, 1, "differs from what the run recorded"),
    ],
)
def test_rounding_is_told_from_another_result(
    factor: float, status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(EARLIER, tmp_path / "run"))
    result = json.loads((run / "result.json").read_text())
    result["metrics"]["test/loss"] *= factor
    (run / "result.json").write_text(json.dumps(result))
    assert main(["evaluate", f"run={run}"]) == status
    printed = capsys.readouterr().out
    assert said in printed
    assert ("test/loss" in printed.split("differs")[-1]) or status == 0


def test_a_run_that_recorded_no_metrics_is_compared_with_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(EARLIER, tmp_path / "run"))
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "status": "interrupted", "metrics": {}}))
    assert main(["evaluate", f"run={run}"]) == 0
    assert "nothing to compare with: the run is interrupted and recorded no metrics" in capsys.readouterr().out


def test_what_only_training_builds_needs_no_trust(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path(shutil.copytree(EARLIER, tmp_path / "run"))
    config = OmegaConf.load(run / ".hydra" / "config.yaml")
    config.callbacks.mine = {"_target_": "a_package_of_mine.Callback"}
    config.logger.elsewhere = {"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "/elsewhere"}
    config.trainer.profiler = {"_target_": "a_package_of_mine.Profiler"}
    OmegaConf.save(config, run / ".hydra" / "config.yaml")
    assert main(["evaluate", f"run={run}"]) == 0
    assert "the same as the run recorded" in capsys.readouterr().out
    config.model.activation = {"_target_": "a_package_of_mine.Activation"}
    OmegaConf.save(config, run / ".hydra" / "config.yaml")
    assert main(["evaluate", f"run={run}"]) == 2
    assert "trust=[a_package_of_mine]" in capsys.readouterr().err
