"""A sweep's finished runs and what they say together, written for the viewer that runs are watched in."""

from __future__ import annotations

import time
from pathlib import Path

from probeta.report.aggregates import Aggregates

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
    shown = {
        name for v in found.variants for name, points in v.curves.items() if any(len(p) > 1 for p in points.values())
    }
    charts = {name: ["Margin", [f"{name}/mean", f"{name}/low", f"{name}/high"]] for name in sorted(shown)}
    if charts:
        events.append(Event(wall_time=now, summary=custom_scalars({"mean by epoch and its 95 % interval": charts})))
    if found.verdicts:
        events.append(Event(wall_time=now, summary=text("verdicts", found.verdicts)))
    return [event.SerializeToString() for event in events]


def _folder_name(variant: str, number: int) -> str:
    """`variant` as a folder: what file systems take for more than a letter becomes a dash, and the number its start."""
    return f"{number:02d} " + "".join("-" if c in '/\\:*?"<>|\n' else c for c in variant)[:100]
