"""One epoch of padded batches over a DataLoader that collates the same batches with `pad_sequence`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from probeta.data.buckets import PairBatches
from probeta.data.pairs import EncodedPairs

PAIRS, BATCH, REPEATS = 29_000, 64, 5


class ListDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Ids as tensors, a pair at a time: what a notebook has."""

    def __init__(self, pairs: EncodedPairs) -> None:
        self.rows = [
            tuple(torch.from_numpy(side[i].astype(np.int64)) for side in (pairs.source, pairs.target))
            for i in range(len(pairs))
        ]

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]


def collate(rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
    sources, targets = zip(*rows, strict=True)
    return pad_sequence(sources, batch_first=True), pad_sequence(targets, batch_first=True)


def tokens(batches: Iterable[Any]) -> int:
    return sum(batch[1].numel() for batch in batches)


def seconds(action: Callable[[], int]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    # Lengths as in Multi30k: about 13 words a side, alike on both.
    length = np.clip(rng.normal(13, 4, PAIRS).round().astype(int), 3, 40)
    rows = [[[1, *rng.integers(4, 8000, n).tolist(), 2] for n in length] for _ in range(2)]
    pairs = EncodedPairs.from_lists(*rows)
    ours, dataset = PairBatches(pairs, batch_size=BATCH, shuffle_seed=0), ListDataset(pairs)
    times: dict[str, list[float]] = {"ours": [], "loader": []}
    for epoch in range(REPEATS):
        ours.set_epoch(epoch)
        loader = DataLoader(dataset, batch_sampler=[b.tolist() for b in ours.plan(epoch)], collate_fn=collate)  # type: ignore[arg-type]
        assert tokens(ours) == tokens(loader)
        times["ours"].append(seconds(lambda: tokens(ours)))
        times["loader"].append(seconds(lambda loader=loader: tokens(loader)))  # type: ignore[misc]
    a, b = statistics.median(times["loader"]), statistics.median(times["ours"])
    return [
        {
            "name": "text_batches",
            "ratio": a / b,
            "a": a,
            "b": b,
            "unit": "seconds an epoch",
            "target": "≥ 1",
            "note": f"{PAIRS:,} pairs, {BATCH} a batch; the loader has its batches planned for it",
        }
    ]
