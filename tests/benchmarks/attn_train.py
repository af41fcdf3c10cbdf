"""Training with attention on Multi30k: real target tokens per second over a notebook-style loop.

Both train the same model (1-layer LSTM, E 256, H 512, additive attention, batch 64, words seen twice) with Adam and
clipping. The notebook draws batches at random, as it does; ours takes the project's length buckets. The batches
stand for a whole epoch (every n-th of the order by length).
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from tests.benchmarks import _multi30k as multi30k

OURS, NOTEBOOK, REPEATS = 16, 4, 3
TARGET = 6.0


def seconds(training: Any, batches: list[multi30k.Pair]) -> float:
    start = time.perf_counter()
    for source, target in batches:
        training.step(source, target)
    return time.perf_counter() - start


def rates(sides: dict[str, tuple[Any, list[multi30k.Pair]]], repeats: int = REPEATS) -> dict[str, float]:
    """Real target tokens per second of each side: medians over rounds in alternation, after a round of warming up."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for training, batches in sides.values():
        seconds(training, batches[-1:])
    for _ in range(repeats):
        for name, (training, batches) in sides.items():
            found[name].append(multi30k.real_tokens(batches) / seconds(training, batches))
    return {name: statistics.median(values) for name, values in found.items()}


def run() -> list[dict[str, Any]]:
    reason = multi30k.missing()
    if reason:
        return [multi30k.skipped("attn_train", reason)]
    corpus = multi30k.load()
    buckets = multi30k.sample(corpus.train, OURS, bucketed=True)
    rate = rates(
        {
            "notebook": (multi30k.NotebookTraining(corpus), multi30k.sample(corpus.train, NOTEBOOK, bucketed=False)),
            "float32": (multi30k.OurTraining(corpus), buckets),
            "bf16": (multi30k.OurTraining(corpus, "bf16"), buckets),
        }
    )
    note = f"V {len(corpus.source)}/{len(corpus.target)}, batch {multi30k.BATCH}"
    return [
        {
            "name": name,
            "ratio": rate[side] / rate["notebook"],
            "a": rate[side],
            "b": rate["notebook"],
            "unit": "real target tokens/s",
            "target": f">= {TARGET:g}",
            "note": f"{note}, {side}",
        }
        for name, side in (("attn_train", "float32"), ("attn_train_bf16", "bf16"))
    ]
