"""`probeta predict run=DIR`: classes and probabilities of new points, as CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from probeta.commands.arguments import parse, required
from probeta.errors import ConfigError, DataError

ARGUMENTS = {
    "run": "DIR: the run's directory",
    "x": "[[0.1,0.2]]: points, as JSON",
    "input": "FILE: points, one a line, numbers separated by commas (standard input where neither is given)",
    "trust": "[PACKAGE]: packages of your own that the run may build from",
}


def main(argv: list[str]) -> int:
    values = parse("probeta predict run=DIR x='[[0.1,0.2]]'", argv, ARGUMENTS)
    directory = required(values, "run", "DIR")
    points = read_points(values)

    import torch

    from probeta.data.spec import PointsSpec, SequenceSpec
    from probeta.inference.load_run import load_run, trust_argument
    from probeta.models.classifier import Classifier

    run = load_run(directory, trust_argument(values.get("trust")))
    if not isinstance(run.model, Classifier):
        raise ConfigError(f"run={directory} is no classifier: probeta translate reads sentences")
    spec = run.data.spec
    assert isinstance(spec, (PointsSpec, SequenceSpec))
    features = spec.in_features
    for number, point in enumerate(points, 1):
        if len(point) != features:
            raise DataError(f"point {number} has {len(point)} numbers, and the model reads {features}")
    x = torch.tensor(points, dtype=next(run.model.parameters()).dtype)
    with torch.no_grad():
        probabilities = torch.softmax(run.model(x), dim=-1).tolist()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["class", *(f"p{c}" for c in range(len(probabilities[0])))])
    for row in probabilities:
        writer.writerow([max(range(len(row)), key=row.__getitem__), *(f"{p:.6f}" for p in row)])
    return 0


def read_points(values: dict[str, str]) -> list[list[float]]:
    """The points asked about; `DataError` names the line that does not read."""
    if "x" in values:
        try:
            points = json.loads(values["x"])
            return [[float(n) for n in point] for point in points]
        except (ValueError, TypeError):
            raise ConfigError.value("x", values["x"], "points as JSON, x='[[0.1,0.2],[1,0]]'") from None
    name = values.get("input", "standard input")
    lines: Iterable[str] = Path(values["input"]).read_text().splitlines() if "input" in values else sys.stdin
    points = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                points.append([float(n) for n in line.replace(";", ",").split(",")])
            except ValueError:
                raise DataError(f"{name}, line {number}: {line.strip()!r} is not numbers separated by commas") from None
    if not points:
        raise DataError(f"{name} holds no points")
    return points
