"""Training with attention on Multi30k: real target tokens per second over a notebook-style loop.

Both train the same model (1-layer LSTM, E 256, H 512, additive attention, batch 64, words seen twice) with Adam and
clipping. The notebook draws batches at random, as it does; ours takes the project's length buckets. The batches
stand for a whole epoch (every n-th of the order by length).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks import _multi30k as multi30k
from tests.benchmarks._timing import Apart, rates

OURS, NOTEBOOK = 16, 4
TARGET = 6.0


def seconds(training: Any, batches: list[multi30k.Pair]) -> float:
    start = time.perf_counter()
    for source, target in batches:
        training.step(source, target)
    return time.perf_counter() - start


def side(name: str) -> Callable[[], float]:
    """What trains one round of `name` and returns real target tokens per second."""
    corpus = multi30k.load()
    ours = name != "notebook"
    training: Any = multi30k.OurTraining(corpus, name) if ours else multi30k.NotebookTraining(corpus)
    return rounds(training, multi30k.sample(corpus.train, OURS if ours else NOTEBOOK, bucketed=ours))


def rounds(training: Any, batches: list[multi30k.Pair]) -> Callable[[], float]:
    return lambda: multi30k.real_tokens(batches) / seconds(training, batches)


def run() -> list[dict[str, Any]]:
    reason = multi30k.missing()
    if reason:
        return [multi30k.skipped("attn_train", reason)]
    corpus = multi30k.load()
    sides, slow = multi30k.halves("notebook")
    rate = rates({name: Apart(side, name) for name in sides})
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
        if side in rate
    ] + [multi30k.skipped("attn_train_bf16", slow)] * bool(slow)
