"""The depth probe, 4 activations × 4 depths × 64 seeds at once, over the notebook's loop of single evaluations.

Both sides draw their layers. The loop draws new ones for every evaluation; the probe draws the longest net of
each seed once, lets every activation go through it, and takes a shorter net to be its last layers.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from probeta.probes.depth import DepthProbe
from tests.benchmarks._timing import alternate

ACTIVATIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu, "gelu": F.gelu}
DEPTHS, SEEDS, WIDTH = (10, 20, 30, 40), 64, 128


def single(activation: str, depth: int) -> float:
    """One evaluation as the notebook writes it."""
    x = torch.randn(1, WIDTH, requires_grad=True)
    h = x
    for layer in [nn.Linear(WIDTH, WIDTH) for _ in range(depth)]:
        h = ACTIVATIONS[activation](layer(h))
    h.sum().backward()
    assert x.grad is not None
    return float(x.grad.norm())


def loop() -> float:
    started = time.perf_counter()
    for activation in ACTIVATIONS:
        for depth in DEPTHS:
            for _ in range(SEEDS):
                single(activation, depth)
    return time.perf_counter() - started


def together() -> float:
    started = time.perf_counter()
    DepthProbe(DEPTHS, list(ACTIVATIONS), width=WIDTH, seeds=SEEDS).norms(0)
    return time.perf_counter() - started


def run() -> dict[str, Any]:
    seconds = alternate({"probe": together, "loop": loop}, repeats=3)
    return {
        "name": "probe_depth",
        "ratio": seconds["probe"] / seconds["loop"],
        "a": seconds["probe"],
        "b": seconds["loop"],
        "unit": "s",
        "target": 0.15,
        "note": "shared random layers; a shorter net is the last layers of a longer one",
    }
