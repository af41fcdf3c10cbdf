"""`probeta export DIR to=…`: finished runs and what they say together, for the viewer that runs are watched in."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from probeta.commands.arguments import split_folders
from probeta.errors import ConfigError

USAGE = """usage: probeta export DIR [to=tensorboard|mlflow|wandb] [metric=test/loss]

Sends the completed runs of the sweep (or the run) DIR, for every variant the mean of its runs' curves by epoch and the
ends of its 95 % interval, and the verdicts on metric=. A second call replaces the first.

  to=tensorboard   events in DIR/aggregates: charts under CUSTOM SCALARS, verdicts under TEXT; runs without events get
                   theirs from metrics.csv
  to=mlflow        tracking_uri=: a folder or a server (MLFLOW_TRACKING_URI, else the folder of all runs); a variant's
                   mean is the parent of its runs, the verdicts describe the experiment
  to=wandb         offline runs in DIR/aggregates/wandb, for `wandb sync`; offline=false sends at once, project=probeta;
                   the verdicts are the notes of a run of that name
"""

VIEWERS = {"tensorboard": (), "mlflow": ("tracking_uri",), "wandb": ("offline", "project")}
"""The arguments that only one viewer takes."""


def main(argv: list[str]) -> int:
    """Returns the exit status. Raises `UserError` where DIR holds no runs, or none that has finished."""
    folders, values = split_folders(argv, ("to", "metric", *(key for keys in VIEWERS.values() for key in keys)))
    if {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        return 0
    viewer = values.pop("to", "tensorboard")
    if viewer not in VIEWERS:
        raise ConfigError.value("to", viewer, " or ".join(VIEWERS))
    if len(folders) != 1:
        raise ConfigError(f"one DIR is exported, not {' and '.join(folders) or 'none'}: probeta export DIR to={viewer}")
    metric = values.pop("metric", "")
    if unused := [key for key in values if key not in VIEWERS[viewer]]:
        raise ConfigError(f"{unused[0]} is not used by to={viewer}")
    if values.get("offline", "true") not in ("true", "false"):
        raise ConfigError.value("offline", values["offline"], "true or false")
    from probeta.report.aggregates import read_aggregates
    from probeta.sweeps.export import export_mlflow, export_tensorboard, export_wandb

    found = read_aggregates(Path(folders[0]), [metric] if metric else [])
    if viewer == "tensorboard":
        written = export_tensorboard(found)
        told = f"{written}: {shlex.join(['tensorboard', '--logdir', str(written.parent)])}"
    elif viewer == "mlflow":
        address = export_mlflow(found, values.get("tracking_uri"))
        told = f"{address}: {shlex.join(['mlflow', 'ui', '--backend-store-uri', address])}"
    else:
        offline = values.get("offline") != "false"
        folder = export_wandb(found, offline, values.get("project") or "probeta")
        told = f"{folder}: wandb sync {shlex.quote(str(folder))}/offline-run-*" if offline else "sent to wandb"
    for damage in found.sweep.damage:
        print(f"{damage.path} is damaged and left out: {damage.why}", file=sys.stderr)
    print(told)
    return 0
