from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probeta.config.build import check
from probeta.config.trust import adopt
from probeta.errors import ConfigError
from probeta.loggers.wandb import STEP, Wandb
from tests.loggers.viewers import read_csv, wandb_run


def test_an_offline_run_says_what_the_run_s_own_files_say(train: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    tiny = ("data=moons", "data.n_samples=60", "trainer=cpu", "trainer.max_epochs=3")
    result = train(*tiny, "logger=[csv,wandb]", into="outputs/train/run")
    path = tmp_path / "outputs" / "train" / "run"
    [file] = path.glob("wandb/offline-run-*/*.wandb")
    told = wandb_run(file)
    assert (told["name"], told["group"]) == ("run", "train")
    assert told["config"]["probeta.directory"] == str(path)
    assert told["config"]["data.n_samples"] == 60
    for name, curve in read_csv(path).items():
        assert {row[STEP]: row[name] for row in told["history"] if name in row} == pytest.approx(curve), name
    assert {name: told["summary"][name] for name in result["metrics"]} == result["metrics"]
    logger = Wandb(path, {}, resume_step=3)
    assert logger.experiment.id == told["id"], "a run that goes on is the same one"
    logger.close()


def test_a_run_that_is_to_be_sent_at_once_needs_to_know_to_whom(
    configure: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"logger\.wandb\.offline=false: no server takes it"):
        check(configure("data=moons", "logger=wandb", "logger.wandb.offline=false"))


def test_a_directory_has_nothing_sent() -> None:
    node: dict[str, Any] = {"_target_": "probeta.loggers.wandb.Wandb", "offline": True}
    adopt({"logger": {"wandb": node}}, [])
    node["offline"] = False
    with pytest.raises(ConfigError, match="may write or connect"):
        adopt({"logger": {"wandb": node}}, [])
