"""Floating-point operations a second in training, as a share of the best square product in the same run."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from probeta.nn.cpu.matmul import fast_float32
from tests.benchmarks import _multi30k as multi30k
from tests.benchmarks.attn_train import seconds

BATCHES, REPEATS, SIDE, TARGET = 8, 3, 2048, 0.45


def best_square() -> float:
    """FLOP/s of a `SIDE`² product, with whichever library is faster here."""
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    best = 0.0
    for _ in range(4):
        start = time.perf_counter()
        torch.mm(a, b)
        best = max(best, 2 * SIDE**3 / (time.perf_counter() - start))
        with fast_float32():
            start = time.perf_counter()
            torch.mm(a, b)
            best = max(best, 2 * SIDE**3 / (time.perf_counter() - start))
    return best


def run() -> list[dict[str, Any]]:
    reason = multi30k.missing()
    if reason:
        return [multi30k.skipped("attn_train_peak", reason)]
    corpus = multi30k.load()
    training = multi30k.OurTraining(corpus)
    batches = multi30k.sample(corpus.train, BATCHES, bucketed=True)
    with FlopCounterMode(display=False) as counter:
        seconds(training, batches)
    done = counter.get_total_flops()
    rates, peaks = [], []
    for _ in range(REPEATS):
        peaks.append(best_square())
        rates.append(done / seconds(training, batches))
    a, b = statistics.median(rates), max(peaks)
    return [
        {
            "name": "attn_train_peak",
            "ratio": a / b,
            "a": a / 1e9,
            "b": b / 1e9,
            "unit": "GFLOP/s",
            "target": f">= {TARGET:g}",
            "note": f"float32; whole steps over the best {SIDE}x{SIDE} product",
        }
    ]
