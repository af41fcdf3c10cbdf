"""Decoding Multi30k's 1,000 test sentences: sentences per second over JoeyNMT 2.3, greedy and beam 5.

The same model size, batch and output lengths: neither side can end a sentence before `LENGTH` words.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from probeta.data.pairs import EncodedPairs
from probeta.data.vocabulary import BOS_ID, EOS_ID
from probeta.nn.decoding import beam_search, greedy
from tests.benchmarks import _joeynmt as joeynmt
from tests.benchmarks import _multi30k as multi30k

LENGTH, BATCH, BEAM, REPEATS = 13, 64, 5, 3
TARGET = 3.0


def batches(corpus: multi30k.Corpus, count: int) -> list[torch.Tensor]:
    """The first `count` test sentences in batches of like length."""
    rows = sorted(corpus.test_source[:count], key=len)
    whole = EncodedPairs.from_lists(rows, rows).source
    return [whole.padded(np.arange(i, min(i + BATCH, len(rows)))) for i in range(0, len(rows), BATCH)]


def seconds(decode: Callable[[torch.Tensor], Any], sources: list[torch.Tensor]) -> float:
    start = time.perf_counter()
    for source in sources:
        decode(source)
    return time.perf_counter() - start


def row(name: str, ours: Callable[[torch.Tensor], Any], joey: Callable[[torch.Tensor], Any], sources: Any) -> dict:
    count = sum(len(source) for source in sources)
    found: dict[str, list[float]] = {"ours": [], "joey": []}
    for decode in (ours, joey):
        decode(sources[0])
    for _ in range(REPEATS):
        found["joey"].append(count / seconds(joey, sources))
        found["ours"].append(count / seconds(ours, sources))
    a, b = (statistics.median(found[side]) for side in ("ours", "joey"))
    note = f"{count} sentences, batch {BATCH}, {LENGTH} words each, E 256, H 512"
    return {
        "name": name,
        "ratio": a / b,
        "a": a,
        "b": b,
        "unit": "sentences/s",
        "target": f">= {TARGET:g}",
        "note": note,
    }


def run() -> list[dict[str, Any]]:
    names = ("decode_joeynmt", "decode_beam_joeynmt")
    reason = multi30k.missing() or joeynmt.missing()
    if reason:
        return [multi30k.skipped(name, reason) for name in names]
    from joeynmt.search import search

    corpus = multi30k.load()
    net, joey = joeynmt.ours_alike(corpus).eval(), joeynmt.theirs(corpus).eval()
    with torch.no_grad():
        net.decoder.output.bias[EOS_ID] = -1e4
    common = {"max_length": LENGTH, "bos_id": BOS_ID, "eos_id": EOS_ID}

    def theirs(source: torch.Tensor, beam: int) -> Any:
        return search(joey, joeynmt.their_batch(source, None), LENGTH, beam, 1.0, min_output_length=LENGTH)

    sources = batches(corpus, len(corpus.test_source))
    return [
        row(names[0], partial(greedy, net, **common), partial(theirs, beam=1), sources),
        row(names[1], partial(beam_search, net, beam_size=BEAM, **common), partial(theirs, beam=BEAM), sources[::4]),
    ]
