"""`probeta predict run=DIR`: classes and probabilities of new points, as CSV."""

from __future__ import annotations

import csv
import sys

from probeta.commands.arguments import parse, required

ARGUMENTS = {
    "run": "DIR: the run's directory",
    "x": "[[0.1,0.2]]: points, as JSON",
    "input": "FILE: points, one per line, numbers separated by commas (standard input where neither is given)",
    "trust": "[PACKAGE]: packages of your own that the run may build from",
}


def main(argv: list[str]) -> int:
    values = parse("probeta predict run=DIR x='[[0.1,0.2]]'", argv, ARGUMENTS)
    directory = required(values, "run", "DIR")

    from probeta.inference.inputs import read_points

    points = read_points(values)

    from probeta.config.trust import trust_argument
    from probeta.inference.load_run import load_run
    from probeta.inference.predict import predict

    probabilities = predict(load_run(directory, trust_argument(values.get("trust"))), points)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["class", *(f"p{c}" for c in range(len(probabilities[0])))])
    for row in probabilities:
        writer.writerow([max(range(len(row)), key=row.__getitem__), *(f"{p:.6f}" for p in row)])
    return 0
