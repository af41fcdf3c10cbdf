"""Training with attention on Multi30k: real target tokens per second over JoeyNMT 2.3.

JoeyNMT draws batches of sentences at random; ours takes length buckets, and is measured in
bfloat16 too. Same sizes, see `_joeynmt`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks import _joeynmt as joeynmt
from tests.benchmarks import _multi30k as multi30k
from tests.benchmarks._timing import Apart, rates
from tests.benchmarks.attn_train import NOTEBOOK, OURS, rounds

TARGET = 2.5


def side(name: str) -> Callable[[], float]:
    joeynmt.missing()  # makes theirs importable here too
    corpus = multi30k.load()
    if name == "joeynmt":
        return rounds(joeynmt.TheirTraining(corpus), multi30k.sample(corpus.train, NOTEBOOK, bucketed=False))
    training = multi30k.OurTraining(corpus, name, joeynmt.ours_alike(corpus))
    return rounds(training, multi30k.sample(corpus.train, OURS, bucketed=True))


def run() -> list[dict[str, Any]]:
    reason = multi30k.missing() or joeynmt.missing()
    if reason:
        return [multi30k.skipped("attn_train_joeynmt", reason)]
    sides, slow = multi30k.halves("joeynmt")
    rate = rates({name: Apart(side, name) for name in sides})
    return [
        {
            "name": name,
            "ratio": rate[side] / rate["joeynmt"],
            "a": rate[side],
            "b": rate["joeynmt"],
            "unit": "real target tokens/s",
            "target": f">= {TARGET:g}",
            "note": f"{side}; both: LSTM, E 256, H 512, bidirectional encoder, 512 before the vocabulary",
        }
        for name, side in (("attn_train_joeynmt", "float32"), ("attn_train_joeynmt_bf16", "bf16"))
        if side in rate
    ] + [multi30k.skipped("attn_train_joeynmt_bf16", slow)] * bool(slow)
