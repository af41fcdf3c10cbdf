"""A member's run directory: that of a single run, written by the code of single runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import torch

from probeta.config.build import make_logger
from probeta.data.datamodule import DataModule
from probeta.errors import TrainingDiverged
from probeta.models.module import Module
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory
from probeta.runs.record import Outcome
from probeta.training.devices import record_device
from probeta.training.fit import keep_data, make_outcome, write_best
from probeta.vectorized.member import Member

log = logging.getLogger(__name__)

METRICS = "probeta.loggers.csv.MetricsCSV"
TENSORBOARD = "probeta.loggers.tensorboard.TensorBoard"


def evaluate(model: Module, data: DataModule, device: torch.device) -> dict[str, float]:
    """Metrics of the kept weights on every split, by the hooks that `Trainer.test` calls, one member at a time:
    so `probeta evaluate` finds the same numbers, to the bit.
    """
    loaders = model.start_evaluation(data)
    model.eval()
    with torch.inference_mode():
        model.on_test_epoch_start()
        for i, loader in enumerate(loaders.values()):
            for j, batch in enumerate(loader):
                model.test_step(type(batch)(*(t.to(device) for t in batch)), j, i)
        model.on_test_epoch_end()
    return {name: value for split in loaders for name, value in model.evaluated[split].items()}


def write_run(member: Member, run: RunDirectory, size: int, inputs: Mapping[str, str | None]) -> Outcome:
    """Test the kept weights and write everything but logs and `result.json`. `inputs`: the hashes of what it read."""
    tree, data, model = member.tree, member.data, member.model
    keep_data(data, run)
    if tree["trainer"].get("accelerator") == "measured":
        record_device(run, member.accelerator, {})
    device = torch.device(member.device)
    model.to(device).load_state_dict(member.weights, strict=False)
    metrics = evaluate(model, data, device)
    TrainingDiverged.check(metrics, member.rows[-1][0], member.epochs)
    metrics |= {"epochs": float(member.epochs), "best_epoch": float(member.best_epoch)}
    write_best(model, run, tree.get("checkpoints") or "best")
    run.artifacts.write(model.artifacts(data))
    if member.path is not None:
        metrics |= member.path.finish(model, data, run.artifacts)
    return make_outcome(model, data, run, inputs, metrics, member.fit_s, member.accelerator, {"ensemble_size": size})


def write_rows(member: Member, run: RunDirectory) -> None:
    """`metrics.csv`; TensorBoard's files are written by `tensorboard_events`."""
    for name, node in (member.tree.get("logger") or {}).items():
        if node["_target_"] == METRICS:
            logger = make_logger(member.tree, name, {"directory": run.path})
            for step, row in member.rows:
                logger.log_metrics(row, step=step)
            logger.finalize("success")


def send_run(member: Member, run: RunDirectory, metrics: Mapping[str, float]) -> None:
    """Rows and result to the viewers that have a program of their own; without `metrics` the run has failed."""
    for name, node in (member.tree.get("logger") or {}).items():
        if node["_target_"] not in (METRICS, TENSORBOARD):
            viewer: Any = make_logger(member.tree, name, {"directory": run.path})
            viewer.log_rows(member.rows)
            if metrics:
                viewer.log_final({}, metrics)
            viewer.close(failed=not metrics)


def logs_to_tensorboard(tree: Mapping[str, Any]) -> bool:
    return any(node["_target_"] == TENSORBOARD for node in (tree.get("logger") or {}).values())


def write_notes(member: Member, run: RunDirectory) -> None:
    """`run.log`: what a single run's log would say."""
    notes = list(member.notes)
    if note := getattr(member.data, "note", None):
        notes.insert(0, f"Note: {note}.")
    if notes:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = "".join(f"{stamp},000 INFO {__name__}: {note}\n" for note in notes)
        write_atomic(run.path / "run.log", lines, sync=False)
