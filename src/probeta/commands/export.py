"""`probeta export DIR to=tensorboard`: what finished runs say together, for the viewer that runs are watched in."""

from __future__ import annotations

import sys
from pathlib import Path

from probeta.commands.arguments import split_folders
from probeta.errors import ConfigError

USAGE = """usage: probeta export DIR [to=tensorboard] [metric=test/loss]

Writes DIR/aggregates: for every variant of the sweep DIR the mean of its completed runs' curves by epoch and the ends
of its 95 % interval (the charts are under CUSTOM SCALARS), and the verdicts on metric= under TEXT. Runs that wrote no
TensorBoard events get theirs from metrics.csv. A second call replaces the first.
"""


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
    from probeta.report.aggregates import read_aggregates
    from probeta.sweeps.export import export_tensorboard

    found = read_aggregates(Path(folders[0]), [values["metric"]] if values.get("metric") else [])
    written = export_tensorboard(found)
    for damage in found.sweep.damage:
        print(f"{damage.path} is damaged and left out: {damage.why}", file=sys.stderr)
    print(f"{written}: tensorboard --logdir {written.parent}")
    return 0
