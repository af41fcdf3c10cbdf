"""`probeta export DIR to=tensorboard`: what finished runs say together, for the viewer that runs are watched in."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from probeta.commands.arguments import split_folders
from probeta.errors import ConfigError

if TYPE_CHECKING:
    from probeta.report.summary import Summary
    from probeta.runs.row import RunRow

USAGE = """usage: probeta export DIR [to=tensorboard] [metric=test/loss]

Writes DIR/aggregates: for every variant of the sweep DIR the mean of its completed runs' curves by epoch and the ends
of its 95 % interval (the charts are under CUSTOM SCALARS), and the verdicts on metric= under TEXT. Runs that wrote no
TensorBoard events get theirs from metrics.csv. A second call replaces the first.
"""

FOLDER = "aggregates"
EVENTS = "events.out.tfevents*"


def main(argv: list[str]) -> int:
    """Returns the exit status. Raises `UserError` where DIR holds no runs, or none that has finished."""
    folders, values = split_folders(argv, ("to", "metric"))
    if {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        return 0
    if values.get("to", "tensorboard") != "tensorboard":
        raise ConfigError.value("to", values["to"], "tensorboard")
    if len(folders) != 1:
        raise ConfigError(
            f"one DIR is exported, not {' and '.join(folders) or 'none'}: probeta export DIR to=tensorboard"
        )
    written = export_tensorboard(Path(folders[0]), [values["metric"]] if values.get("metric") else [])
    print(f"{written}: tensorboard --logdir {written.parent}")
    return 0


def export_tensorboard(directory: Path, metrics: Sequence[str] = ()) -> Path:
    """Write the aggregates of the sweep in `directory`, compared by `metrics`; returns the folder they are in."""
    from probeta.report.summary import summarise
    from probeta.runs.table import choose_metrics, read_sweep
    from probeta.vectorized.tensorboard_events import make_events, write_events

    sweep = read_sweep(directory)
    if not any(run.completed for run in sweep.runs):
        raise ConfigError(f"no run in {directory} has finished")
    choose_metrics(sweep, metrics)
    summary = summarise(sweep)
    root = sweep.directory / FOLDER
    for old in root.rglob(EVENTS):
        old.unlink()
    files: list[tuple[Path, list[bytes]]] = []
    shown: set[str] = set()
    for number, group in enumerate(summary.groups, 1):
        curves = aggregate([run for run in group.runs if run.completed])
        shown |= {name for name, points in curves.items() if any(len(point) > 1 for point in points.values())}
        rows: dict[int, dict[str, float]] = {}
        for name, points in curves.items():
            for epoch, point in points.items():
                rows.setdefault(epoch + 1, {}).update({f"{name}/{end}": value for end, value in point.items()})
        if rows:
            files.append((root / _folder_name(group.variant, number), make_events(sorted(rows.items()), {}, {})))
    files.append((root, make_overview(summary, sorted(shown))))
    for run in sweep.runs:
        if run.completed and not any(run.path.glob(EVENTS)):
            final = {name: value for name, value in run.metrics.items() if value is not None}
            files.append((run.path, make_events(list(read_rows(run)), run.settings, final)))
    for damage in sweep.damage:
        print(f"{damage.path} is damaged and left out: {damage.why}", file=sys.stderr)
    for folder, _ in files:
        folder.mkdir(parents=True, exist_ok=True)
    write_events(files)
    return root


def aggregate(runs: Sequence[RunRow]) -> dict[str, dict[int, dict[str, float]]]:
    """Metric → epoch from 0 → `mean`, and `low` and `high` of its 95 % interval where runs have one (`measure`).

    A run that ended sooner keeps its last value: a mean of those that go on would be one of survivors.
    """
    from probeta.report.summary import measure

    curves = [run.curves() for run in runs]
    found: dict[str, dict[int, dict[str, float]]] = {}
    for name in sorted({name for curve in curves for name in curve}):
        last: dict[int, float] = {}
        for epoch in sorted({epoch for curve in curves for epoch in curve.get(name, {})}):
            last |= {i: curve[name][epoch] for i, curve in enumerate(curves) if epoch in curve.get(name, {})}
            # The counts of the result are of its final metrics: a curve's value stands by itself.
            at = [replace(run, metrics={name: last[i]}, result={**run.result, "counts": {}})
                  for i, run in enumerate(runs) if i in last]  # fmt: skip
            measured = measure(at, name)
            if measured.mean is None:
                continue
            point = found.setdefault(name, {}).setdefault(epoch, {"mean": measured.mean})
            if measured.interval is not None:
                point |= {"low": measured.interval.low, "high": measured.interval.high}
    return found


def make_overview(summary: Summary, shown: Sequence[str]) -> list[bytes]:
    """The events of the charts with margins, one of each metric `shown`, and of the verdicts."""
    from tensorboard.compat.proto.event_pb2 import Event
    from torch.utils.tensorboard.summary import custom_scalars, text

    from probeta.report.language import Language
    from probeta.report.verdicts import verdict

    now = time.time()
    events = [Event(wall_time=now, file_version="brain.Event:2")]
    charts = {name: ["Margin", [f"{name}/mean", f"{name}/low", f"{name}/high"]] for name in shown}
    if charts:
        events.append(Event(wall_time=now, summary=custom_scalars({"mean by epoch and its 95 % interval": charts})))
    if summary.primary is not None and summary.comparisons:
        said = "\n".join(f"- {verdict(c, summary.primary, Language())}" for c in summary.comparisons)
        events.append(Event(wall_time=now, summary=text("verdicts", said)))
    return [event.SerializeToString() for event in events]


def read_rows(run: RunRow) -> Iterator[tuple[int, dict[str, float]]]:
    """The rows of a run's `metrics.csv` by optimizer step; none, and a note, where it is damaged."""
    from probeta.runs.reading import Damaged, note, read_table

    try:
        names, *rows = read_table(run.path / "metrics.csv", ("step",)) or [["step"]]
        cells = [dict(zip(names, row, strict=True)) for row in rows]
        yield from [
            (int(row["step"]), {k: float(v) for k, v in row.items() if v and k != "step"})
            for row in cells
            if row["step"]
        ]
    except Damaged as damaged:
        note(run.damage, damaged)
    except ValueError as error:
        note(run.damage, Damaged(run.path / "metrics.csv", str(error)))


def _folder_name(variant: str, number: int) -> str:
    """`variant` as a folder: what file systems take for more than a letter becomes a dash, and the number its start."""
    return f"{number:02d} " + "".join("-" if c in '/\\:*?"<>|\n' else c for c in variant)[:100]
