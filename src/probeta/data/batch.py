"""The two kinds of batch. Named tuples: Lightning, `torch.func` and DDP all walk into them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class LabelledBatch(NamedTuple):
    """Inputs with one class each."""

    x: Tensor
    """`(B, features)` points or `(B, T, features)` sequences, floating point."""
    y: Tensor
    """`(B,)` class ids, int64."""


class PairBatch(NamedTuple):
    """Sentence pairs, right-padded with `pad_id`; every sentence is `<bos> … <eos>`."""

    source: Tensor
    """`(B, S)` token ids, int64."""
    target: Tensor
    """`(B, T + 1)` token ids, int64: `target[:, :-1]` goes in, `target[:, 1:]` is predicted."""
    index: Tensor  # type: ignore[assignment]  # tuple.index is not missed
    """`(B,)` the pair's number in its split, so that outputs can be put back in order."""
