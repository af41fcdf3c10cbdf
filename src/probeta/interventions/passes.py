"""What a translator says under interventions: many of them, of several sentences, in each batch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from probeta.data.batch import PairBatch
from probeta.data.spec import TextSpec
from probeta.interventions.changes import Plan, Row, intervene
from probeta.metrics.alignment import Gold
from probeta.nn.translator import Translator

NUMBERS = 2**23
"""Numbers of a batch's log-probabilities: 32 MB."""
SENTENCES = 512
"""Rows of a batch at most."""

Case = tuple[int, Row]
"""A sentence's number and what is changed as it is read."""


@dataclass(frozen=True)
class Subject:
    """A translator and the sentence pairs that it is looked at on."""

    net: Translator
    spec: TextSpec
    batch: PairBatch
    golds: list[Gold] | None = None
    """Words and gold links of each pair, where the data know them."""

    def __len__(self) -> int:
        return len(self.batch.source)

    @property
    def lengths(self) -> Tensor:
        """`(n,)` source tokens, `<bos>` and `<eos>` among them."""
        return (self.batch.source != self.spec.pad_id).sum(1)

    @property
    def steps(self) -> Tensor:
        """`(n,)` steps of the reference: its words and `<eos>`."""
        return (self.batch.target != self.spec.pad_id).sum(1) - 1


def take(net: Translator, spec: TextSpec, data: Any, split: str, count: int, more: Sequence[int] = ()) -> Subject:
    """The first `count` pairs of `split` (all, where there are fewer), then those of the rows `more`."""
    rows = np.array([*range(min(count, len(data.pairs[split]))), *more])
    device = net.output_weight.device
    batch = PairBatch(*(part.to(device) for part in data.pairs[split].batch(rows)))
    golds = [data.gold(split, row) for row in rows.tolist()] if hasattr(data, "gold") else None
    return Subject(net, spec, batch, golds)


@dataclass(frozen=True)
class Read:
    """Teacher-forced on the reference: a row per case, NaN behind the sentence's end."""

    log_p: NDArray[np.float64]
    """`(N, T)` of the reference's words."""
    divergence: NDArray[np.float64]
    """`(N, T)` Jensen–Shannon, in bits, from what the net says with nothing changed: 0 to 1."""
    best: NDArray[np.int64]
    """`(N, T)` the most probable words."""
    attention: NDArray[np.float64] | None
    """`(N, T, S)` the weights that the net read with."""


def chunks(subject: Subject, rows: int) -> Iterator[slice]:
    """Parts of `rows` rows whose log-probabilities fit in memory."""
    size = NUMBERS // (subject.batch.target.shape[1] * subject.spec.target_vocab_size)
    size = max(1, min(SENTENCES, size))
    return (slice(at, at + size) for at in range(0, rows, size))


@torch.no_grad()
def read(subject: Subject, cases: Sequence[Case]) -> Read:
    """Every case's pass over its sentence."""
    clean = None  # where nothing is changed, what is said is its own reference
    if any(row for _, row in cases):
        clean = torch.cat([_log_probs(subject, [(i, ()) for i in range(len(subject))][part])[0]
                           for part in chunks(subject, len(subject))])  # fmt: skip
    found: list[tuple[Any, ...]] = []
    for part in chunks(subject, len(cases)):
        here = list(cases[part])
        rows = torch.tensor([i for i, _ in here], device=subject.batch.source.device)
        log_p, attention = _log_probs(subject, here)
        own = log_p.gather(-1, subject.batch.target[rows, 1:, None])[..., 0].double()
        outside = subject.batch.target[rows, 1:] == subject.spec.pad_id
        divergence = jensen_shannon(log_p if clean is None else clean[rows], log_p)
        parts = own.masked_fill(outside, math.nan), divergence.masked_fill(outside, math.nan), log_p.argmax(-1)
        found.append((*(p.cpu().numpy() for p in parts), attention))
    columns = list(zip(*found, strict=True))
    weights = None if columns[3][0] is None else np.concatenate(columns[3])
    return Read(np.concatenate(columns[0]), np.concatenate(columns[1]), np.concatenate(columns[2]), weights)


def _log_probs(subject: Subject, cases: Sequence[Case]) -> tuple[Tensor, Any]:
    net, rows = subject.net, torch.tensor([i for i, _ in cases], device=subject.lengths.device)
    source, target = subject.batch.source[rows], subject.batch.target[rows, :-1]
    plan = Plan(net, [row for _, row in cases], subject.lengths[rows], target.shape[1], source.shape[1])
    with intervene(net, plan):
        decoded = net.decode(net.encode(source), target, need_weights=True)
        weights = None if decoded.attention is None else decoded.attention.double().cpu().numpy()
        return torch.log_softmax(net.project(decoded.features).float(), -1), weights


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """½ KL(p ‖ m) + ½ KL(q ‖ m) in bits, m = (p + q) / 2 (Lin 1991), over the last dimension."""
    middle = torch.logaddexp(log_p, log_q) - math.log(2)
    each = [(a.exp() * (a - middle)).sum(-1) for a in (log_p, log_q)]
    return (each[0] + each[1]).double().clamp_min(0) / (2 * math.log(2))


@torch.no_grad()
def translate(subject: Subject, cases: Sequence[Case], extra: int = 5) -> list[list[int]]:
    """Each case's greedy translation, at most `extra` words longer than the longest reference.

    Sentences that are finished stay in the batch, from which `nn.decoding.greedy` removes them: a plan has a row for
    each sentence, in its place.
    """
    net, spec, found = subject.net, subject.spec, []
    steps = subject.batch.target.shape[1] + extra
    for part in chunks(subject, len(cases)):
        rows = torch.tensor([i for i, _ in cases[part]], device=subject.lengths.device)
        source = subject.batch.source[rows]
        plan = Plan(net, [row for _, row in cases[part]], subject.lengths[rows], steps, source.shape[1])
        with intervene(net, plan):
            state = net.start(net.encode(source))
            token = torch.full_like(rows, spec.bos_id)
            ended = torch.zeros_like(token, dtype=torch.bool)
            words = []
            for plan.start in range(steps):
                logits, _, state = net.step(token, state)
                logits[:, [spec.pad_id, spec.bos_id]] = -math.inf
                token = logits.argmax(-1)
                words.append(token)
                ended = ended | (token == spec.eos_id)
                if bool(ended.all()):
                    break
        for ids in torch.stack(words, dim=1).tolist():
            found.append(ids[: ids.index(spec.eos_id)] if spec.eos_id in ids else ids)
    return found


def references(subject: Subject, cases: Sequence[Case]) -> list[list[int]]:
    """Each case's reference, without `<bos>` and `<eos>`."""
    target, steps = subject.batch.target.tolist(), subject.steps.tolist()
    return [target[i][1 : steps[i]] for i, _ in cases]
