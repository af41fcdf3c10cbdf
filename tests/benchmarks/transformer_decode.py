"""Beam 5 with the key/value cache over beam 5 that decodes the whole prefix again at every step.

Both sides: the same search, weights, sentences and outputs (random weights end nowhere, so each sentence runs
to its limit), attention weights on both; the one without a cache also projects its last position only.
"""

from __future__ import annotations

import statistics
import time
from typing import Any, NamedTuple

import torch
from torch import Tensor

from probeta.nn.decoding import beam_search
from probeta.nn.transformer import Memory, Transformer
from probeta.nn.translator import Decoded, Translator

VOCAB, PAD, BOS, EOS, SENTENCES, BEAM = 10_000, 0, 1, 2, 64, 5
TARGET, REPEATS = 5.0, 3


class Prefix(NamedTuple):
    memory: Memory
    tokens: Tensor
    """`(B, t)`."""


class Uncached(Translator):
    """The same Transformer, which forgets everything but the tokens between two steps."""

    def __init__(self, net: Transformer) -> None:
        super().__init__()
        self.net = net
        self.pad_id = net.pad_id

    def encode(self, source: Tensor) -> Memory:
        return self.net.encode(source)

    def decode(self, memory: Any, target: Tensor, **options: Any) -> Decoded:
        return self.net.decode(memory, target, **options)

    def project(self, features: Tensor) -> Tensor:
        return self.net.project(features)

    def start(self, memory: Memory, prepared: Any = None) -> Prefix:
        return Prefix(memory, torch.empty(len(memory.keep), 0, dtype=torch.long))

    def step(self, token: Tensor, state: Prefix) -> tuple[Tensor, Tensor | None, Prefix]:
        state = state._replace(tokens=torch.cat([state.tokens, token[:, None]], dim=1))
        features, attention = self.net.decode(state.memory, state.tokens, need_weights=True)
        return self.project(features[:, -1]), None if attention is None else attention[:, -1], state


def sentences(length: int) -> Tensor:
    """`(SENTENCES, length)` random sources of about `length` tokens, right-padded."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(length - 2, length + 1, (SENTENCES, 1), generator=generator)
    ids = torch.randint(4, VOCAB, (SENTENCES, length), generator=generator)
    return ids.masked_fill(torch.arange(length) >= lengths, PAD)


def run() -> list[dict[str, object]]:
    torch.manual_seed(0)
    net = Transformer(VOCAB, VOCAB, PAD, tie_embeddings="all").eval()
    sides: dict[str, Translator] = {"cached": net, "uncached": Uncached(net)}
    rows = []
    for length in (14, 40):
        source = sentences(length)
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        outputs: dict[str, list[list[int]]] = {}
        for repeat in range(REPEATS + 1):
            for name, model in sides.items():
                start = time.perf_counter()
                found = beam_search(model, source, length, bos_id=BOS, eos_id=EOS, beam_size=BEAM)
                if repeat:  # the first round warms up
                    seconds[name].append(time.perf_counter() - start)
                outputs[name] = [hypotheses[0].tokens for hypotheses in found]
        cached, uncached = (SENTENCES / statistics.median(seconds[name]) for name in ("cached", "uncached"))
        same = sum(a == b for a, b in zip(outputs["cached"], outputs["uncached"], strict=True))
        rows.append(
            {
                "name": f"transformer_decode_{length}",
                "ratio": cached / uncached,
                "a": cached,
                "b": uncached,
                "unit": "sentences/s",
                "target": f">= {TARGET}",
                "note": f"beam {BEAM}, {length} steps, D 128, V {VOCAB}; {same} of {SENTENCES} outputs equal",
            }
        )
    return rows
