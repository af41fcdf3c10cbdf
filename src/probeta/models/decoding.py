"""How a translator searches, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from probeta.errors import ConfigError, check_whole
from probeta.nn.decoding import LENGTH_NORMS


@dataclass(frozen=True)
class Decoding:
    """Settings of the search for a translation (`nn.decoding`).

    In training, every `every_n_epochs` epochs, `sample` validation sentences are translated greedily; a
    finished run translates all of validation and test, and `sample` training sentences, with `beam_size`.

    Args:
        max_length: tokens of a translation at most.
        length_ratio: at most this many times the source's length (plus 10) tokens; null: `max_length` alone.
        beam_size: hypotheses that are kept, from 1, which is greedy.
        length_penalty: α, the exponent of what a hypothesis' Σ log p is divided by; 0 compares sums.
        explained: test sentences whose words a finished run explains by interventions on its attention
            (`interventions.survey`), some tenth of a second each; 0: none.
        length_norm: what α is the exponent of: `gnmt`, (5 + length) / 6 (Wu et al. 2016, eq. 14), or `length`.
    """

    max_length: int = 100
    length_ratio: float | None = None
    beam_size: int = 1
    length_penalty: float = 1.0
    length_norm: Literal["gnmt", "length"] = "gnmt"
    every_n_epochs: int = 1
    sample: int = 500
    explained: int = 0

    def __post_init__(self) -> None:
        for key in ("max_length", "beam_size", "every_n_epochs", "sample"):
            check_whole(key, getattr(self, key))
        check_whole("explained", self.explained, 0)
        if self.length_ratio is not None and not 0 < self.length_ratio < math.inf:
            raise ConfigError.value("length_ratio", self.length_ratio, "a number above 0, or null")
        if not 0 <= self.length_penalty < math.inf:
            raise ConfigError.value("length_penalty", self.length_penalty, "a number from 0")
        if self.length_norm not in LENGTH_NORMS:
            raise ConfigError.value("length_norm", self.length_norm, " or ".join(LENGTH_NORMS))
