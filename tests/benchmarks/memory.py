"""Peak memory of training with attention on Multi30k over the notebook-style loop's, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
from typing import Any

from tests.benchmarks import _multi30k as multi30k

STEPS, TARGET = 4, 0.7


def peak(side: str) -> float:
    """MB at the highest over a few of an epoch's batches, the longest among them."""
    corpus = multi30k.load()
    ours = side == "ours"
    training: Any = multi30k.OurTraining(corpus) if ours else multi30k.NotebookTraining(corpus)
    batches = multi30k.sample(corpus.train, STEPS, bucketed=ours)
    longest = multi30k.longest(corpus.train, bucketed=ours)
    for source, target in [*batches, longest]:
        training.step(source, target)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run() -> list[dict[str, Any]]:
    reason = multi30k.missing()
    if reason:
        return [multi30k.skipped("memory", reason)]
    found = {}
    for side in ("notebook", "ours"):
        # A pool of one, spawned: the peak of a process is never given back.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[side] = pool.apply(peak, (side,))
    return [
        {
            "name": "memory",
            "ratio": found["ours"] / found["notebook"],
            "a": found["ours"],
            "b": found["notebook"],
            "unit": "MB at the peak",
            "target": f"<= {TARGET:g}",
            "note": "the whole process, torch and the corpus included; both meet the longest batch of an epoch",
        }
    ]
