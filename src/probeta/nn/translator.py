"""What every encoder–decoder offers: the one contract of training, decoding and probes.

Recurrent nets and the Transformer both follow it, so that the loss, greedy and beam search, and the
metrics are written once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

# A tree (tuples, named tuples, lists, dicts) of tensors whose first dimension is the batch: decoding
# repeats, reorders and drops sentences with `map_leaves` and nothing else.
State = Any


def map_leaves(function: Callable[[Any], Any], state: State) -> State:
    """`state` with `function` of each leaf: of everything that is no tuple, list or dict."""
    if isinstance(state, dict):
        return {key: map_leaves(function, part) for key, part in state.items()}
    if isinstance(state, (tuple, list)):
        parts = [map_leaves(function, part) for part in state]
        return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
    return function(state)


@dataclass(frozen=True)
class PerSource:
    """A part of a `State` that depends on the source alone: a beam search keeps one row of it per sentence.

    Everything else has a row for each of the k prefixes of a sentence, which follow one another; a model finds k
    by dividing the two numbers of rows. It is a leaf to `map_leaves`, so that searches tell it apart.
    """

    value: State


class Decoded(NamedTuple):
    """One pass of the decoder over whole target prefixes."""

    features: Tensor
    """`(B, T, F)` what the output projection reads."""
    attention: Tensor | None
    """`(B, T, S)` weights on the source, or `None` where there are none or they were not asked for."""


class Translator(nn.Module, ABC):
    """An encoder–decoder over token ids, batch first, right-padded with `pad_id`.

    `features` is split from `project` because the vocabulary projection dominates the cost: the loss
    computes it for all steps at once, in chunks that bound memory.
    """

    pad_id: int

    @abstractmethod
    def encode(self, source: Tensor) -> State:
        """`source (B, S)` → the memory that decoding starts from (a batch-first tree of tensors)."""

    @abstractmethod
    def decode(
        self, memory: State, target: Tensor, *, forced: Tensor | None = None, need_weights: bool = False
    ) -> Decoded:
        """Decode the inputs `target (B, T)` (`<bos> w1 … w(T-1)`) in one pass.

        `forced (T,)` bool says at which steps the reference is the input (teacher forcing); elsewhere
        the model's own previous argmax is. `None` means everywhere. Step 0 always reads `target[:, 0]`.
        """

    @abstractmethod
    def project(self, features: Tensor) -> Tensor:
        """`(…, F)` → logits `(…, V)`."""

    @property
    def output_weight(self) -> Tensor:
        """`(V, F)`: with `output_bias`, what `project` multiplies by and `nn.loss.projected_cross_entropy` takes."""
        raise NotImplementedError

    @property
    def output_bias(self) -> Tensor | None:
        """`(V,)`, or `None`."""
        raise NotImplementedError

    def prepare(self, prefixes: int = 1) -> Any:
        """The weights as `step` reads them fastest, for `prefixes` per sentence; valid while they do not change."""
        return None

    @abstractmethod
    def start(self, memory: State, prepared: Any = None) -> State:
        """The state before the first step of incremental decoding; `prepared` is what `prepare` gave, if at hand."""

    @abstractmethod
    def step(self, token: Tensor, state: State) -> tuple[Tensor, Tensor | None, State]:
        """`token (B,)` → logits `(B, V)`, attention `(B, S)` or `None`, and the next state."""

    def forward(self, source: Tensor, target: Tensor, forced: Tensor | None = None) -> Tensor:
        """Logits `(B, T, V)` of the next token after every prefix of `target (B, T)`."""
        return self.project(self.decode(self.encode(source), target, forced=forced).features)
