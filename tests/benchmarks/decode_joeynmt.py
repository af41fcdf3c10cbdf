"""Decoding Multi30k's 1,000 test sentences: sentences per second over JoeyNMT 2.3, greedy and beam 5.

The same model size, batch and output lengths: neither side can end a sentence before `LENGTH` words. Ours lays its
weights out once and takes one batch per core, as for a file that is translated, and is measured in bfloat16 too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from probeta.data.pairs import EncodedPairs
from probeta.data.vocabulary import BOS_ID, EOS_ID
from probeta.inference.translator import map_in_threads
from probeta.nn.decoding import beam_search, greedy
from probeta.runs.memory import keep_freed_memory
from tests.benchmarks import _joeynmt as joeynmt
from tests.benchmarks import _multi30k as multi30k
from tests.benchmarks._timing import Apart, rates

LENGTH, BATCH, BEAM = 13, 64, 5
TARGET = 3.0


def batches(corpus: multi30k.Corpus, count: int) -> list[torch.Tensor]:
    """The first `count` test sentences in batches of like length."""
    rows = sorted(corpus.test_source[:count], key=len)
    whole = EncodedPairs.from_lists(rows, rows).source
    return [whole.padded(np.arange(i, min(i + BATCH, len(rows)))) for i in range(0, len(rows), BATCH)]


def seconds(decode: Callable[[list[torch.Tensor]], Any], sources: list[torch.Tensor]) -> float:
    start = time.perf_counter()
    decode(sources)
    return time.perf_counter() - start


def side(name: str, beam: int) -> Callable[[], float]:
    """What decodes the test sentences (with a beam every fourth batch) and returns sentences per second."""
    joeynmt.missing()  # makes theirs importable here too
    corpus = multi30k.load()
    sources = batches(corpus, len(corpus.test_source))[:: 1 if beam == 1 else 4]
    decode = theirs(corpus, beam) if name == "joeynmt" else ours(corpus, beam, low=name == "bf16")
    return lambda: sum(len(source) for source in sources) / seconds(decode, sources)


def ours(corpus: multi30k.Corpus, beam: int, low: bool) -> Callable[[list[torch.Tensor]], Any]:
    keep_freed_memory()
    net = joeynmt.ours_alike(corpus).eval()
    with torch.inference_mode(), rounded(low):
        net.decoder.output.bias[EOS_ID] = -1e4
        prepared = net.prepare(beam)
    search = greedy if beam == 1 else partial(beam_search, beam_size=beam)

    def decode(source: torch.Tensor) -> Any:
        with rounded(low):
            return search(net, source, max_length=LENGTH, bos_id=BOS_ID, eos_id=EOS_ID, prepared=prepared)

    return lambda sources: list(map_in_threads(decode, sources))


def rounded(low: bool) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=low)


def theirs(corpus: multi30k.Corpus, beam: int) -> Callable[[list[torch.Tensor]], Any]:
    from joeynmt.search import search

    net = joeynmt.theirs(corpus).eval()
    return lambda sources: [
        search(net, joeynmt.their_batch(source, None), LENGTH, beam, 1.0, min_output_length=LENGTH)
        for source in sources
    ]


def rows(name: str, beam: int) -> list[dict[str, Any]]:
    sides, slow = multi30k.halves("joeynmt")
    rate = rates({who: Apart(side, who, beam) for who in sides})
    return [
        {
            "name": name + suffix,
            "ratio": rate[who] / rate["joeynmt"],
            "a": rate[who],
            "b": rate["joeynmt"],
            "unit": "sentences/s",
            "target": f">= {TARGET:g}",
            "note": f"{who}; batch {BATCH}, {LENGTH} words each, E 256, H 512",
        }
        for suffix, who in (("", "float32"), ("_bf16", "bf16"))
        if who in rate
    ] + [multi30k.skipped(f"{name}_bf16", slow)] * bool(slow)


def run() -> list[dict[str, Any]]:
    names = {"decode_joeynmt": 1, "decode_beam_joeynmt": BEAM}
    if reason := multi30k.missing() or joeynmt.missing():
        return [multi30k.skipped(name, reason) for name in names]
    return [row for name, beam in names.items() for row in rows(name, beam)]
