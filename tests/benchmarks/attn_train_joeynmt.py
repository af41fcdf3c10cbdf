"""Training with attention on Multi30k: real target tokens per second over JoeyNMT 2.3.

JoeyNMT draws batches of sentences at random; ours takes length buckets. Same sizes, see `_joeynmt`.
"""

from __future__ import annotations

from typing import Any

from tests.benchmarks import _joeynmt as joeynmt
from tests.benchmarks import _multi30k as multi30k
from tests.benchmarks.attn_train import NOTEBOOK, OURS, rates

TARGET = 2.5


def run() -> list[dict[str, Any]]:
    reason = multi30k.missing() or joeynmt.missing()
    if reason:
        return [multi30k.skipped("attn_train_joeynmt", reason)]
    corpus = multi30k.load()
    ours = multi30k.OurTraining(corpus, net=joeynmt.ours_alike(corpus))
    rate = rates(
        {
            "joeynmt": (joeynmt.TheirTraining(corpus), multi30k.sample(corpus.train, NOTEBOOK, bucketed=False)),
            "ours": (ours, multi30k.sample(corpus.train, OURS, bucketed=True)),
        }
    )
    return [
        {
            "name": "attn_train_joeynmt",
            "ratio": rate["ours"] / rate["joeynmt"],
            "a": rate["ours"],
            "b": rate["joeynmt"],
            "unit": "real target tokens/s",
            "target": f">= {TARGET:g}",
            "note": "float32; both: LSTM, E 256, H 512, bidirectional encoder, 512 before the vocabulary",
        }
    ]
