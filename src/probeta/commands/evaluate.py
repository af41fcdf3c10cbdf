"""`probeta evaluate run=DIR`: the metrics of a finished run, computed again from its weights and its data."""

from __future__ import annotations

import math

from probeta.commands.arguments import parse, required
from probeta.runs.record import INTERRUPTED
from probeta.runs.signals import Signals

ARGUMENTS = {
    "run": "DIR: the run's directory",
    "trust": "[PACKAGE]: packages of your own that the run may build from",
}

ROUNDING = 1e-9
"""Relative difference that another version's order of operations explains."""


def main(argv: list[str]) -> int:
    values = parse("probeta evaluate run=DIR", argv, ARGUMENTS)
    directory = required(values, "run", "DIR")

    import torch

    from probeta.callbacks.interruption import Interruption
    from probeta.commands.outcome import metrics_table
    from probeta.config.build import make
    from probeta.inference.load_run import load_run, trust_argument
    from probeta.runs.terminal import plain_console
    from probeta.training.distributed import Environment, Rank
    from probeta.training.fit import evaluate

    run = load_run(directory, trust_argument(values.get("trust")))
    # Sums over threads round by how many there are: the same bits need the same number.
    torch.set_num_threads(int(run.result.get("threads") or torch.get_num_threads()))
    tree = {**run.tree, "trainer": {**run.tree["trainer"], "_partial_": True}}
    with Signals() as signals, signals.at_once():
        trainer = make(tree, "trainer")(
            accelerator=run.result.get("device") or "cpu",
            devices=1,
            strategy="auto",
            plugins=[Environment(Rank())],
            callbacks=[Interruption(signals, None)],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        metrics = evaluate(trainer, run.model, run.data)
    plain_console().print(metrics_table(metrics))
    unequal = [name for name, value in metrics.items() if name in run.metrics and run.metrics[name] != value]
    different = [name for name in unequal if not math.isclose(run.metrics[name], metrics[name], rel_tol=ROUNDING)]
    if different:
        print("differs from what the run recorded:")
        for name in different:
            print(f"  {name} {run.metrics[name]:.6g} then, {metrics[name]:.6g} now")
        return 1
    compared = sum(name in run.metrics for name in metrics)
    if not compared:
        print(f"nothing to compare with: the run is {run.result.get('status', INTERRUPTED)} and recorded no metrics")
        return 0
    exactly = "but for rounding" if unequal else "bit for bit"
    print(f"the same as the run recorded, {exactly} ({compared} metrics)")
    return 0
