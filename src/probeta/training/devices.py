"""`trainer.accelerator=measured`: the device on which a few real steps are fastest."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from probeta.callbacks.checkpoint import random_states, set_random_states
from probeta.errors import ConfigError
from probeta.nn.devices import available, pick_device
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory
from probeta.runs.reading import NAMES, Damaged, kind_of, read_json

if TYPE_CHECKING:
    from probeta.config.build import Experiment

log = logging.getLogger(__name__)

STEPS, WARMUP = 5, 2

RECORD = "device.json"


def choose(tree: Mapping[str, Any], experiment: Experiment, run: RunDirectory) -> str:
    """The accelerator of this run, recorded in its `device.json` so that a resumed run takes the same."""
    asked = str(tree["trainer"].get("accelerator", "cpu"))
    if asked != "measured":
        if asked in ("gpu", "mps", "cuda"):
            pick_device("trainer.accelerator", asked, also="measured")
        return asked
    devices = available()
    if (chosen := recorded_device(run)) is not None:
        if chosen not in devices:
            raise ConfigError(
                f"{run.path} was trained on {chosen!r}, which is not here: say trainer={next(iter(devices))}"
            )
        return chosen
    seconds = time_devices(experiment, devices) if len(devices) > 1 and experiment.model.automatic_optimization else {}
    chosen = min(seconds, key=seconds.__getitem__) if seconds else "cpu"
    if seconds:
        told = ", ".join(f"{name} {1000 * s:.2f} ms" for name, s in seconds.items())
        log.info("Device: %s (a training step took %s).", chosen, told)
    record_device(run, chosen, seconds)
    return chosen


def recorded_device(run: RunDirectory) -> str | None:
    """Where the run trained before; `None` where it has not, or where its record is damaged (which is said)."""
    path = run.path / RECORD
    try:
        record = read_json(path, dict)
        accelerator = None if record is None else record.get("accelerator")
        if record is not None and not isinstance(accelerator, str):
            raise Damaged(path, f"accelerator is {kind_of(accelerator)} where {NAMES[str]} is expected")
    except Damaged as damage:
        log.warning("%s; the device is chosen anew", damage)
        return None
    return accelerator


def record_device(run: RunDirectory, accelerator: str, seconds: Mapping[str, float]) -> None:
    """Write `device.json`: where the run trains, and what a step took on each device that was tried."""
    write_atomic(run.path / RECORD, json.dumps({"accelerator": accelerator, "step_seconds": seconds}))


def choose_for_ranks(tree: Mapping[str, Any], count: int) -> str:
    """The accelerator of `count` processes that share a run. Nothing is measured: each has a clock of its own, and all
    must choose alike. Graphics processors where there is one for each, else processors.
    """
    asked = str(tree["trainer"].get("accelerator", "cpu"))
    if asked != "measured":
        return asked
    return "gpu" if torch.cuda.device_count() >= count else "cpu"


def time_devices(experiment: Experiment, devices: Mapping[str, torch.device]) -> dict[str, float]:
    """Seconds a training step takes on each device: forward, backward, update, on a copy of the model.

    Weights and random states are as before when it returns.
    """
    states = random_states()
    batch = next(iter(experiment.data.train_dataloader()))
    try:
        return {name: step_seconds(experiment, batch, device) for name, device in devices.items()}
    finally:
        set_random_states(states)


def step_seconds(experiment: Experiment, batch: Any, device: torch.device) -> float:
    """The median of a few steps on `device`; infinite where the step cannot run there."""
    try:
        model = copy.deepcopy(experiment.model).to(device)
        assert model.optimizer_factory is not None
        optimizer = model.optimizer_factory(model.parameters())
        moved = type(batch)(*(t.to(device) for t in batch))
        times = []
        for _ in range(WARMUP + STEPS):
            started = time.perf_counter()
            optimizer.zero_grad()
            measured = model.measure(moved)
            (measured.objective / measured.weight).backward()
            optimizer.step()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            elif device.type == "mps":
                torch.mps.synchronize()
            times.append(time.perf_counter() - started)
        return sorted(times[WARMUP:])[STEPS // 2]
    except (RuntimeError, NotImplementedError, TypeError) as error:
        log.warning("Device %s was left out: %s", device, str(error).splitlines()[0])
        return float("inf")
