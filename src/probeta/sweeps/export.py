"""A sweep's finished runs and what they say together, sent to the viewer that runs are watched in."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probeta.report.aggregates import Aggregates
from probeta.runs.directory import RunDirectory

FOLDER = "aggregates"
EVENTS = "events.out.tfevents*"


def export_tensorboard(found: Aggregates) -> Path:
    """Write the events of each variant and of the verdicts; returns the folder they are in."""
    from probeta.loggers.tensorboard_events import make_events, write_events

    root = found.sweep.directory / FOLDER
    for old in root.rglob(EVENTS):
        old.unlink()
    files = [(root, make_overview(found))]
    for number, variant in enumerate(found.variants, 1):
        if rows := variant.rows():
            files.append((root / _folder_name(variant.name, number), make_events(rows, {}, {})))
    for run in found.completed:
        if not any(run.path.glob(EVENTS)):
            final = {name: value for name, value in run.metrics.items() if value is not None}
            files.append((run.path, make_events(run.rows(), run.flat_settings(), final)))
    for folder, _ in files:
        folder.mkdir(parents=True, exist_ok=True)
    write_events(files)
    return root


def make_overview(found: Aggregates) -> list[bytes]:
    """The events of the charts with margins, one of each metric that has an interval, and of the verdicts."""
    from tensorboard.compat.proto.event_pb2 import Event
    from torch.utils.tensorboard.summary import custom_scalars, text

    now = time.time()
    events = [Event(wall_time=now, file_version="brain.Event:2")]
    # A margin is seen from two epochs on.
    shown = {n for v in found.variants for n, at in v.curves.items() if sum("low" in p for p in at.values()) > 1}
    charts = {name: ["Margin", [f"{name}/mean", f"{name}/low", f"{name}/high"]] for name in sorted(shown)}
    if charts:
        events.append(Event(wall_time=now, summary=custom_scalars({"mean by epoch and its 95 % interval": charts})))
    if found.verdicts:
        events.append(Event(wall_time=now, summary=text("verdicts", found.verdicts)))
    return [event.SerializeToString() for event in events]


def _folder_name(variant: str, number: int) -> str:
    """`variant` as a folder: what file systems take for more than a letter becomes a dash, and the number its start."""
    return f"{number:02d} " + "".join("-" if c in '/\\:*?"<>|\n' else c for c in variant)[:100]


@dataclass(frozen=True)
class Entry:
    """What a viewer shows as a run: one of ours, or the mean of a variant's."""

    name: str
    kind: str
    origin: dict[str, str]
    settings: dict[str, Any]
    rows: Sequence[tuple[int, Mapping[str, float]]]
    final: dict[str, float]
    begun: float
    """In seconds since 1970, as `ended`."""
    ended: float


def list_entries(found: Aggregates) -> Iterator[tuple[Entry | None, list[Entry]]]:
    """For each variant the entry of its mean (none of a directory that is a run's) and those of its runs."""
    from probeta.loggers.viewer import describe_origin

    sweep = found.sweep
    command = str(sweep.definition.get("command") or "")
    for variant in found.variants:
        runs = []
        for run in variant.runs:
            final = {name: value for name, value in run.metrics.items() if value is not None}
            ended = RunDirectory(run.path).result.stat().st_mtime
            begun = ended - float(run.result.get("duration_s") or 0)
            origin = describe_origin(run.path)
            runs.append(Entry(run.name, "run", origin, run.flat_settings(), run.rows(), final, begun, ended))
        if variant.runs[0].path == sweep.directory:
            yield None, runs
            continue
        # The settings of a mean are those that its runs share: not their seeds.
        shared = {
            k: v for k, v in runs[0].settings.items() if all(k in r.settings and r.settings[k] == v for r in runs)
        }
        origin = {"probeta.directory": str(sweep.directory), "probeta.command": command}
        span = min(run.begun for run in runs), max(run.ended for run in runs)
        yield Entry(variant.name, "variant", origin, shared, variant.rows(), variant.final, *span), runs


def export_mlflow(found: Aggregates, tracking_uri: str | None = None) -> str:
    """Send every run, and above the runs of each variant their mean; returns the address.

    What an earlier call sent, and what the runs logged themselves, is replaced. The verdicts describe the experiment.
    """
    from probeta.loggers import mlflow

    directory, path = found.sweep.directory, found.completed[0].path
    address = mlflow.locate(tracking_uri, path)
    client = mlflow.connect(address)
    experiment = mlflow.find_experiment(client, path.parent.name)

    def send(entry: Entry, tags: Mapping[str, str]) -> str:
        number = mlflow.open_run(client, experiment, entry.name, {**entry.origin, **tags}, entry.begun)
        mlflow.log_settings(client, number, entry.settings)
        mlflow.log_rows(client, number, [*entry.rows, (0, mlflow.name_result(entry.final))])
        client.set_terminated(number, end_time=int(1000 * entry.ended))
        return number

    for place in {directory, *(run.path for run in found.completed)}:
        for earlier in mlflow.find_runs(client, experiment, place):
            client.delete_run(earlier)
    for mean, runs in list_entries(found):
        above = {mlflow.PARENT: send(mean, {})} if mean else {}
        for run in runs:
            send(run, above)
    if path != directory:
        client.set_experiment_tag(experiment, mlflow.NOTE, found.verdicts)
    return address


def export_wandb(found: Aggregates, offline: bool = True, project: str = "probeta") -> Path:
    """Write the runs that did not log to wandb themselves, each variant's mean, and the verdicts as the notes of a run.

    Returns the folder that they are in. Offline, what an earlier call wrote is replaced.
    """
    from probeta.loggers import wandb

    wandb.Wandb.check(offline, project)
    directory, path = found.sweep.directory, found.completed[0].path
    root = directory / FOLDER
    shutil.rmtree(root / "wandb", ignore_errors=True)
    root.mkdir(exist_ok=True)

    def send(entry: Entry, step: str) -> None:
        what = {"job_type": entry.kind, "config": {**entry.settings, **entry.origin}}
        run = wandb.open_run(root, entry.name, offline, step, project=project, group=path.parent.name, **what)
        wandb.log_rows(run, entry.rows, step)
        run.summary.update(entry.final)
        run.finish()

    for mean, runs in list_entries(found):
        for run in runs:
            if not (Path(run.origin["probeta.directory"]) / "wandb").is_dir():
                send(run, wandb.STEP)
        if mean:
            send(mean, "epoch")
    if found.verdicts:
        what = {"project": project, "group": path.parent.name, "notes": found.verdicts}
        wandb.open_run(root, "verdicts", offline, job_type="verdicts", **what).finish()
    return root / "wandb"
