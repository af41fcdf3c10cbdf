"""Runs of version 0.1.0, made before modules moved: they evaluate, translate and report as they did."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from probeta.cli import main
from probeta.config.build import resolve_config
from probeta.config.trust import resolve, targets
from probeta.metrics.direction import format_metric
from probeta.runs.directory import RunDirectory
from probeta.runs.identity import config_sha256
from probeta.runs.moved import rename_targets

EARLIER = Path(__file__).parent / "earlier"


@pytest.fixture(params=["classifier", "translator", "probe"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER / request.param, tmp_path / request.param))


def test_every_target_of_an_earlier_run_is_found(earlier: Path) -> None:
    nodes = list(targets(resolve_config(RunDirectory.existing(earlier).load_config())))
    assert nodes
    for place, node in nodes:
        resolve(node["_target_"], place)


@pytest.mark.parametrize(("name", "metric"), [("classifier", "test/acc"), ("translator", "test/loss")])
def test_an_earlier_run_evaluates_to_its_recorded_metrics(
    name: str, metric: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(EARLIER / name, tmp_path / name))
    assert main(["evaluate", f"run={run}"]) == 0
    recorded = json.loads((run / "result.json").read_text())["metrics"][metric]
    assert format_metric(recorded) in capsys.readouterr().out


def test_an_earlier_translator_translates_as_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Path(shutil.copytree(EARLIER / "translator", tmp_path / "translator"))
    sources, hypotheses = (
        (run / "artifacts" / f"{kind}.train.txt").read_text().splitlines() for kind in ("sources", "hypotheses")
    )
    assert main(["translate", f"run={run}", f"text={sources[0]}"]) == 0
    assert hypotheses[0] in capsys.readouterr().out


def test_earlier_runs_are_reported(earlier: Path) -> None:
    assert main(["report", str(earlier)]) == 0
    assert (earlier / "report.html").is_file()
    assert json.loads((earlier / "result.json").read_text())["status"] == "completed"


def test_an_earlier_probe_is_the_run_that_its_command_asks_for_today(configure: Callable[..., DictConfig]) -> None:
    run = RunDirectory.existing(EARLIER / "probe")
    today = configure(*OmegaConf.load(run.path / ".hydra" / "overrides.yaml"), config="probe")
    assert config_sha256(run.load_config()) == config_sha256(today)


def test_a_name_that_has_not_moved_stays() -> None:
    tree = {"a": [{"_target_": "probeta.logs.csv.MetricsCSV"}], "b": {"_target_": "torch.optim.SGD", "lr": 0.1}}
    assert rename_targets(tree) == {**tree, "a": [{"_target_": "probeta.loggers.csv.MetricsCSV"}]}
