"""How many members train at once, and where: measured on the ensemble itself."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from probeta.nn.devices import available, pick_device
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.member import Member
from probeta.vectorized.program import Program

SIZES = (8, 16, 32, 64, 128)
CLOSE = 1.05
"""A smaller chunk within this factor of the fastest is taken: it needs less memory, and failures cost less."""

WARMUP, TIMED = 2, 3


def time_step(members: Sequence[Member], device: torch.device) -> float:
    """Seconds per training step and member; the members are not changed."""
    clones = [Member(m.tree, m.data, m.loader, copy.deepcopy(m.model)) for m in members]
    ensemble = Ensemble(clones, device, program=Program(0))
    times = []
    for step in range(WARMUP + TIMED):
        started = time.perf_counter()
        loss, _, _ = ensemble.step(0, 0, step)
        loss.sum().item()  # waits for an accelerator
        times.append(time.perf_counter() - started)
    return min(times[WARMUP:]) / len(members)


def choose_chunk_size(members: Sequence[Member], device: torch.device) -> int:
    """The smallest of `SIZES` whose step costs about as little per member as any."""
    sizes = [size for size in SIZES if size <= len(members)]
    if len(sizes) < 2:
        return len(members)
    costs: dict[int, float] = {}
    for size in sizes:
        costs[size] = time_step(members[:size], device)
        if costs[size] > 1.3 * min(costs.values()):
            break  # past the caches it only gets worse
    best = min(costs.values())
    return next(size for size, cost in costs.items() if cost <= CLOSE * best)


def choose_device(tree: Mapping[str, Any], members: Sequence[Member]) -> torch.device:
    """The device that the configuration names, or (`accelerator=measured`) where a step is fastest."""
    asked = str(tree["trainer"].get("accelerator", "cpu"))
    if asked not in ("measured", "auto"):
        return pick_device("trainer.accelerator", asked, also="measured")
    devices = available()
    if len(devices) == 1:
        return devices["cpu"]
    some = members[: SIZES[-1]]
    return min(devices.values(), key=lambda device: time_step(some, device))
