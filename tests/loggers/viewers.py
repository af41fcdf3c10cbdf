"""What MLflow and wandb hold, read back by their own means."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

Curves = dict[str, dict[int, float]]


def read_csv(run: Path) -> Curves:
    """`metrics.csv`: metric → step → value."""
    curves: Curves = {}
    for row in csv.DictReader((run / "metrics.csv").open()):
        for name, value in row.items():
            if value and name != "step":
                curves.setdefault(name, {})[int(row["step"])] = float(value)
    return curves


def mlflow_runs(folder: Path, experiment: str) -> tuple[Any, dict[str, Any]]:
    """The client of the database in `folder`, and the experiment's runs by name."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return client, {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


def history(client: Any, run: Any, metric: str) -> dict[int, float]:
    points = client.get_metric_history(run.info.run_id, metric)
    assert len({point.step for point in points}) == len(points), f"{metric} twice at a step"
    return {point.step: point.value for point in points}


@cache
def _empty_database(folder: Path) -> bytes:
    from probeta.loggers.mlflow import connect

    connect(f"sqlite:///{folder / 'mlflow.db'}")
    return (folder / "mlflow.db").read_bytes()


def make_store(folder: Path, template: Path) -> Path:
    """A database in `folder`, as MLflow makes it: which takes seconds, so that `template` is where it is made once."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlflow.db").write_bytes(_empty_database(template))
    return folder


def wandb_records(file: Path) -> Iterator[Any]:
    """The records of an offline run: after 7 bytes, blocks of 32 KiB in the format of LevelDB's log."""
    from wandb.proto import wandb_internal_pb2

    data, at, parts = file.read_bytes(), 7, []
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        parts.append(data[at + 7 : at + 7 + size])
        at += 7 + size
        if kind in (1, 4):  # the whole record, or its end
            yield wandb_internal_pb2.Record.FromString(b"".join(parts))
            parts = []


def wandb_run(file: Path) -> dict[str, Any]:
    """Name, group, notes, config, history by row and summary of an offline run."""
    import wandb

    wandb.teardown()  # a process of its own writes the file
    found: dict[str, Any] = {"history": [], "summary": {}}
    for record in wandb_records(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            config = {item.key: json.loads(item.value_json) for item in run.config.update}
            found |= {"name": run.display_name, "group": run.run_group, "notes": run.notes, "config": config}
            found |= {"kind": run.job_type, "id": run.run_id}
        elif kind == "history":
            items = record.history.item
            found["history"].append({i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items})
        elif kind == "summary":
            items = record.summary.update
            found["summary"] |= {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
    return found
