from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from probeta.config.build import check, resolve_config
from probeta.config.trust import adopt
from probeta.errors import ConfigError
from probeta.loggers.mlflow import MLflow, locate
from probeta.vectorized.grouping import reason_against
from tests.loggers.viewers import history, make_store, mlflow_runs, read_csv

TINY = ("data=moons", "data.n_samples=60", "trainer=cpu", "trainer.max_epochs=3")


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def store(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all runs, with its database."""
    pytest.importorskip("mlflow")
    return make_store(tmp_path / "outputs", tmp_path_factory.getbasetemp())


def test_a_run_is_logged_as_its_own_files_say(store: Path, train: Any) -> None:
    result = train(*TINY, "logger=[csv,mlflow]", into="outputs/train/run")
    client, runs = mlflow_runs(store, "train")
    [run] = runs.values()
    path = store / "train" / "run"
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert run.data.tags["probeta.directory"] == str(path)
    assert run.data.tags["probeta.command"].startswith("probeta train data=moons data.n_samples=60")
    assert run.data.params["data.n_samples"] == "60"
    for name, curve in read_csv(path).items():
        assert history(client, run, name) == pytest.approx(curve), name
    assert run.data.metrics["test/loss"] == result["metrics"]["test/loss"]
    assert run.data.metrics["final/val/loss"] == result["metrics"]["val/loss"]


def test_rows_of_a_member_of_an_ensemble_are_taken_at_once(store: Path, configure: Any) -> None:
    tree = resolve_config(configure(*TINY, "logger=[csv,mlflow,wandb]", "figures=none"))
    tree["callbacks"] = {}
    assert reason_against(tree) is None
    rows = [(step, {f"val/{name}": step / 3.0 for name in "abcdefg"}) for step in range(400)]
    logger = MLflow(store / "sweep" / "job", {f"key.{i}": i for i in range(250)})
    logger.log_rows(rows)
    logger.close()
    client, runs = mlflow_runs(store, "sweep")
    assert history(client, runs["job"], "val/g") == {step: step / 3.0 for step in range(400)}
    assert len(runs["job"].data.params) == 250


def test_a_run_that_goes_on_is_the_same_one(store: Path) -> None:
    for resumed, value in ((None, 1.0), (0, 2.0)):
        logger = MLflow(store / "train" / "a'b", {"seed": 1}, resume_step=resumed)
        logger.log_metrics({"val/loss": value}, step=int(value))
        logger.finalize("failed" if resumed is None else "success")
        logger.close(failed=resumed is None)
    client, runs = mlflow_runs(store, "train")
    [run] = runs.values()
    assert run.info.status == "FINISHED"
    assert history(client, run, "val/loss") == {1: 1.0, 2: 2.0}


def test_what_the_server_does_not_take_fails_no_run(
    store: Path, train: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(self: MLflow, rows: Any) -> None:
        raise ConnectionError("gone away")

    monkeypatch.setattr(MLflow, "send", gone)
    with caplog.at_level(logging.WARNING, "probeta.loggers.viewer"):
        assert train(*TINY, "logger=mlflow", into="outputs/train/run")["status"] == "completed"
    [told] = [record.getMessage() for record in caplog.records if record.name == "probeta.loggers.viewer"]
    assert "mlflow takes no more of this run (ConnectionError: gone away)" in told
    assert told.endswith("outputs/train/run to=mlflow")


def test_a_server_that_does_not_answer_is_named_before_the_run(configure: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ConfigError, match=r"no MLflow answers at http://127\.0\.0\.1:9"):
        check(configure(*TINY, "logger=mlflow", "logger.mlflow.tracking_uri=http://127.0.0.1:9"))


@pytest.mark.parametrize("package", ["mlflow", "wandb"])
def test_a_package_that_is_missing_is_told_how_it_is_installed(
    package: str, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from probeta.config.build import _check_logger

    _check_logger.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=rf"{package} is not installed: pip install 'probeta\[{package}\]'"):
        check(configure(*TINY, f"logger={package}"))


def test_a_directory_names_no_address() -> None:
    node: dict[str, Any] = {"_target_": "probeta.loggers.mlflow.MLflow", "tracking_uri": None}
    adopt({"logger": {"mlflow": node}}, [])
    node["tracking_uri"] = "http://elsewhere"
    with pytest.raises(ConfigError, match=r"trust=\[probeta\.loggers\]"):
        adopt({"logger": {"mlflow": node}}, [])
    adopt({"logger": {"mlflow": node}}, ["probeta.loggers"])


def test_an_address_is_a_server_s_or_a_folder_s_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate("http://here:5000") == "http://here:5000"
    assert locate("databricks") == "databricks"
    assert locate(str(tmp_path)) == f"sqlite:///{tmp_path}/mlflow.db"
    assert make_url(locate(str(tmp_path / "a?b #c%20"))).database == f"{tmp_path}/a?b #c%20/mlflow.db"
    assert locate(None, tmp_path / "train" / "run") == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert locate(None, tmp_path) == "http://there"
