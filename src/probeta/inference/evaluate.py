"""The metrics of a finished run, computed again from its weights and its data, beside those that it recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from probeta.callbacks.interruption import Interruption
from probeta.config.build import make
from probeta.inference.load_run import LoadedRun
from probeta.runs.signals import Signals
from probeta.training.distributed import Environment, Rank
from probeta.training.fit import evaluate

ROUNDING = 1e-9
"""Relative difference that another version's order of operations explains."""


def evaluate_run(run: LoadedRun) -> dict[str, float]:
    """The metrics of the kept weights on every split, on the device and with the threads of the run."""
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
        return evaluate(trainer, run.model, run.data)


@dataclass(frozen=True)
class MetricsComparison:
    """How metrics differ from those that a run recorded, over the names that both have."""

    compared: int
    rounded: bool
    """Whether some differ, none by more than `ROUNDING` explains."""
    different: list[str]
    """The names of those that differ by more."""


def compare_metrics(recorded: Mapping[str, Any], metrics: Mapping[str, float]) -> MetricsComparison:
    names = [name for name in metrics if name in recorded]
    unequal = [name for name in names if recorded[name] != metrics[name]]
    different = [name for name in unequal if not math.isclose(recorded[name], metrics[name], rel_tol=ROUNDING)]
    return MetricsComparison(len(names), bool(unequal), different)
