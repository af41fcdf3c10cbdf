"""Runs in MLflow: settings as parameters, metrics by optimizer step, the result, and where the run lies."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from probeta.errors import ConfigError
from probeta.loggers.viewer import Rows, Viewer, describe_failure, describe_origin, require

if TYPE_CHECKING:
    from mlflow import MlflowClient

ADDRESS = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
PARENT, NAME, SOURCE, NOTE = "mlflow.parentRunId", "mlflow.runName", "mlflow.source.name", "mlflow.note.content"
"""Tags that MLflow's pages show as a tree, as a name, as where a run comes from and as a description."""

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Without it the pages open as those of language models' traces."""

MOST = {"metrics": 1000, "params": 100}
"""What MLflow takes at once."""


class MLflow(Viewer):
    """Logs to a server or to a database in a folder.

    Args:
        tracking_uri: a server's address, or a folder, which gets a database (`mlflow.db`); `None`: what
            `MLFLOW_TRACKING_URI` says, else the folder of all runs.
        experiment: under which the run is listed; `None`: the folder that it lies in, a sweep's name.
        directory, settings, resume_step: what the run says of itself.
    """

    package = "mlflow"

    def __init__(
        self,
        directory: str | Path,
        settings: Mapping[str, Any],
        tracking_uri: str | None = None,
        experiment: str | None = None,
        resume_step: int | None = None,
    ) -> None:
        super().__init__(directory, settings, resume_step is not None)
        self.uri = locate(tracking_uri, self.directory)
        self.listed = experiment or self.directory.parent.name
        self.id = ""

    @staticmethod
    def check(tracking_uri: str | None = None, experiment: str | None = None) -> None:
        """`ConfigError` where MLflow is not installed, or the server that is named does not answer."""
        require("mlflow")
        if uri := tracking_uri or os.environ.get(ADDRESS):
            connect(locate(uri))

    @staticmethod
    def connects(node: Mapping[str, Any]) -> bool:
        """Whether `node` names where to write or what to connect to."""
        return node.get("tracking_uri") is not None

    def begin(self) -> MlflowClient:
        client = connect(self.uri)
        experiment = find_experiment(client, self.listed)
        earlier = find_runs(client, experiment, self.directory) if self.resumed else []
        origin = describe_origin(self.directory)
        self.id = earlier[0] if earlier else open_run(client, experiment, self.directory.name, origin)
        client.update_run(self.id, status="RUNNING")
        log_settings(client, self.id, self.settings)
        return client

    def send(self, rows: Rows) -> None:
        log_rows(self.experiment, self.id, rows)

    def send_result(self, metrics: Mapping[str, float]) -> None:
        log_rows(self.experiment, self.id, [(0, name_result(metrics))])

    def end(self, failed: bool) -> None:
        self.experiment.set_terminated(self.id, "FAILED" if failed else "FINISHED")


def locate(uri: str | None, directory: Path | None = None) -> str:
    """`uri` as MLflow takes it: a folder becomes the address of its database.

    `None` is what the environment says, else the folder of all runs, two above the `directory` of a run.
    """
    uri = uri or os.environ.get(ADDRESS) or str((directory or Path().absolute()).parents[1])
    if uri == "databricks" or re.match(r"[A-Za-z][\w+.-]+:", uri):
        return uri
    from sqlalchemy import URL  # as MLflow reads it, whatever characters the path holds

    file = Path(uri).expanduser().absolute() / "mlflow.db"
    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


def connect(uri: str) -> MlflowClient:
    """A client whose store answers; `ConfigError` where it does not."""
    # Nothing but what is logged goes anywhere, and a server that does not answer holds up no run for minutes.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    mlflow = require("mlflow")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    try:
        if not uri.startswith(SQLITE):
            client: MlflowClient = mlflow.MlflowClient(uri)
            client.search_experiments(max_results=1)
            return client
        from sqlalchemy import make_url

        file = Path(make_url(uri).database or "")
        file.parent.mkdir(parents=True, exist_ok=True)
        # Whoever comes first makes the database's tables: two at once would be in each other's way.
        with FileLock(f"{file}.lock"):
            client = mlflow.MlflowClient(uri)
            client.search_experiments(max_results=1)
            return client
    except Exception as error:
        raise ConfigError(f"no MLflow answers at {uri}: {describe_failure(error)}") from None


def find_experiment(client: MlflowClient, name: str) -> str:
    """The experiment's number; it is made where there is none."""
    from mlflow.exceptions import MlflowException

    if (found := client.get_experiment_by_name(name)) is None:
        try:
            return str(client.create_experiment(name, tags=KIND))
        except MlflowException:  # another process has made it meanwhile
            if (found := client.get_experiment_by_name(name)) is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def find_runs(client: MlflowClient, experiment: str, directory: Path) -> list[str]:
    """The runs, latest first, that were logged from `directory`."""
    mark = '"' if "'" in str(directory) else "'"
    asked = f"tags.`probeta.directory` = {mark}{directory}{mark}"
    runs = client.search_runs([experiment], asked, order_by=["start_time DESC"])
    return [run.info.run_id for run in runs]


def open_run(
    client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str], started: float | None = None
) -> str:
    """A run that says where it comes from, begun now or at `started` (seconds since 1970); returns its number."""
    begun = None if started is None else int(1000 * started)
    shown = {NAME: name, SOURCE: tags.get("probeta.command", "")}
    return str(client.create_run(experiment, begun, tags={**shown, **tags}).info.run_id)


def log_settings(client: MlflowClient, run: str, settings: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    for batch in cut((Param(key, str(value)[:500]) for key, value in settings.items()), MOST["params"]):
        client.log_batch(run, params=batch)


def log_rows(client: MlflowClient, run: str, rows: Rows) -> None:
    """The metrics of each row at its step."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    points = (
        Metric(re.sub(r"[^\w/. -]+", "", name), float(value), now, step)
        for step, row in rows
        for name, value in row.items()
    )
    for batch in cut(points, MOST["metrics"]):
        client.log_batch(run, metrics=batch)


def name_result(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """A result beside the curves: what of it is called as a curve is (`val/loss`) becomes `final/val/loss`."""
    curves = ("train/", "val/")
    return {f"final/{k}" if k.startswith(curves) else k: float(v) for k, v in metrics.items() if v is not None}


def cut(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(items, size)):
        yield batch
