"""`probeta predict run=DIR`: classes and probabilities of new points or rows of a table, as CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from probeta.commands.arguments import parse, required
from probeta.errors import ConfigError
from probeta.runs.atomic import write_atomic

if TYPE_CHECKING:
    from probeta.inference.load_run import LoadedRun

ARGUMENTS = {
    "run": "DIR: the run's directory",
    "x": "[[0.1,0.2]]: points, as JSON",
    "input": "FILE: points, one per line, numbers separated by commas (standard input where neither is given); of a "
    "run on a table, a table with the columns that it learned from",
    "output": "FILE, new: where the table goes with class and probabilities (to standard output where it is not given)",
    "trust": "[PACKAGE]: packages of your own that the run may build from",
}


def main(argv: list[str]) -> int:
    values = parse("probeta predict run=DIR x='[[0.1,0.2]]'", argv, ARGUMENTS)
    directory = required(values, "run", "DIR")

    from probeta.inference.inputs import is_table, read_points

    trust, table = values.get("trust"), "input" in values and is_table(directory)
    check_output(values, table)
    points = [] if table else read_points(values)

    from probeta.config.trust import trust_argument
    from probeta.inference.load_run import load_run
    from probeta.inference.predict import predict

    run = load_run(directory, trust_argument(trust))
    if table:
        predict_rows(run, Path(values["input"]), values.get("output"))
        return 0
    probabilities = predict(run, points)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["class", *(f"p{c}" for c in range(len(probabilities[0])))])
    for row in probabilities:
        writer.writerow([max(range(len(row)), key=row.__getitem__), *(f"{p:.6f}" for p in row)])
    return 0


def check_output(values: Mapping[str, str], table: bool) -> None:
    """`ConfigError` where `output` cannot be written, before any work is done."""
    if "output" not in values:
        return
    if not table:
        raise ConfigError("output is of tables: probeta predict … > FILE")
    if Path(values["output"]).suffix in (".parquet", ".tsv", ".gz"):
        raise ConfigError.value("output", values["output"], "a .csv file, which is what is written")


def predict_rows(run: LoadedRun, path: Path, output: str | None) -> None:
    from probeta.inference.predict_table import predict_file

    if output is None:
        predict_file(run, path, sys.stdout)
        return
    told = io.StringIO()
    predict_file(run, path, told)
    write_atomic(Path(output), told.getvalue())
