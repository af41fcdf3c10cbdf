"""`probeta evaluate run=DIR`: the metrics of a finished run, computed again from its weights and its data."""

from __future__ import annotations

from probeta.commands.arguments import parse, required
from probeta.runs.record import INTERRUPTED

ARGUMENTS = {
    "run": "DIR: the run's directory",
    "trust": "[PACKAGE]: packages of your own that the run may build from",
}


def main(argv: list[str]) -> int:
    values = parse("probeta evaluate run=DIR", argv, ARGUMENTS)
    directory = required(values, "run", "DIR")

    from probeta.commands.outcome import metrics_table
    from probeta.config.trust import trust_argument
    from probeta.inference.evaluate import compare_metrics, evaluate_run
    from probeta.inference.load_run import load_run
    from probeta.runs.terminal import print_table

    run = load_run(directory, trust_argument(values.get("trust")))
    metrics = evaluate_run(run)
    print_table(metrics_table(metrics))
    comparison = compare_metrics(run.metrics, metrics)
    if comparison.different:
        print("differs from what the run recorded:")
        for name in comparison.different:
            print(f"  {name} {run.metrics[name]:.6g} then, {metrics[name]:.6g} now")
        return 1
    if not comparison.compared:
        print(f"nothing to compare with: the run is {run.result.get('status', INTERRUPTED)} and recorded no metrics")
        return 0
    exactly = "but for rounding" if comparison.rounded else "bit for bit"
    print(f"the same as the run recorded, {exactly} ({comparison.compared} metrics)")
    return 0
