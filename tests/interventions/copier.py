"""A translator whose attention is the answer by construction: it looks at the word that comes next and writes it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from probeta.data.batch import PairBatch
from probeta.data.spec import TextSpec
from probeta.interventions.passes import Subject
from probeta.metrics.alignment import Gold
from probeta.nn.attention import Dot
from probeta.nn.translator import Decoded, PerSource, Translator

WORDS = 12
SPEC = TextSpec(WORDS, WORDS, pad_id=0, bos_id=1, eos_id=2, unk_id=3)


class Copier(Translator):
    """Sources hold the words 4, 5, … in any order, targets the same words in order.

    The query after word w is the code of w + 1; where the source lacks it, the key of `<eos>` is the best. Values are
    one-hot, or with `constant` all the same.
    """

    pad_id = 0

    def __init__(self, constant: bool = False) -> None:
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.embedding = nn.Embedding(WORDS, WORDS)
        values = torch.eye(WORDS)
        self.encoder.embedding.weight.data = torch.ones(WORDS, WORDS) / WORDS if constant else values
        self.attention = Dot(WORDS, WORDS)

    @property
    def output_weight(self) -> Tensor:
        return 30 * torch.eye(WORDS)

    def encode(self, source: Tensor) -> Any:
        keys = 80 * F.one_hot(source, WORDS).float() + 40 * (source == 2)[..., None]
        return keys, self.encoder.embedding(source), source != 0  # type: ignore[operator]

    def decode(
        self, memory: Any, target: Tensor, *, forced: Tensor | None = None, need_weights: bool = False
    ) -> Decoded:
        following = F.one_hot(torch.where(target == 1, 4, target + 1).clamp(max=WORDS - 1), WORDS).float()
        return Decoded(*self.attention(following, *memory))

    def project(self, features: Tensor) -> Tensor:
        return 30 * features

    def start(self, memory: Any, prepared: Any = None) -> Any:
        return PerSource(memory)

    def step(self, token: Tensor, state: Any) -> Any:
        decoded = self.decode(state.value, token[:, None])
        return self.project(decoded.features[:, 0]), None, state


class Pair:
    """A sentence and its gold links."""

    def __init__(self, source: list[int], target: list[int]) -> None:
        self.source, self.target = [str(w) for w in source], [str(w) for w in target]
        self.alignment = self.sure = tuple((source.index(word), t) for t, word in enumerate(target))


def make_subject(constant: bool = False) -> Subject:
    sources = [[5, 4, 6, 7], [4, 6, 5], [6, 5, 8, 7, 4]]
    targets = [sorted(source) for source in sources]
    golds: list[Gold] = [Pair(*pair) for pair in zip(sources, targets, strict=True)]

    def padded(rows: list[list[int]]) -> Tensor:
        return torch.tensor([[1, *row, 2] + [0] * (5 - len(row)) for row in rows])

    batch = PairBatch(padded(sources), padded(targets), torch.arange(3))
    return Subject(Copier(constant).eval(), SPEC, batch, golds)
