"""What attention looks like, without gold links: entropy, coverage, and the path it takes over the source.

Weights are `(..., T, S)`, rows for target words, columns for source words, as `alignment.word_weights`
cuts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probeta.metrics.alignment import Weights


def entropy(weights: Weights) -> NDArray[np.float64]:
    """`(..., T)` −Σ_s w log w of every row, in nats; a row sums to 1 where `<bos>` and `<eos>` are kept."""
    positive = np.where(weights > 0, weights, 1.0).astype(np.float64)
    nats: NDArray[np.float64] = -(positive * np.log(positive)).sum(axis=-1)
    return nats


def coverage(weights: Weights) -> NDArray[np.float64]:
    """`(..., S)` Σ_t w: how much attention each source word gets in all (Tu et al. 2016, arXiv 1601.04811)."""
    return np.asarray(weights.sum(axis=-2), dtype=np.float64)


@dataclass(frozen=True)
class Path:
    """How attention moves over the source from target word to target word; shares add up to 1."""

    diagonal: float
    jump: float
    repetition: float
    longest_repetition: int
    """The most target words in a row on one source word."""
    labels: tuple[str, ...]


def path(weights: Weights, diagonal_share: float = 0.6, longest: int = 3) -> Path:
    """The path of one sentence's weights `(T, S)`, and its labels.

    With a(t) the first source word of largest weight, a step is d = a(t) − a(t−1), over the target
    words that have any weight:

    - a *repetition* where d = 0,
    - *diagonal* where d is 1 or 2 (a word, or over a word that the other language lacks),
    - a *jump* elsewhere: backwards, or over two words or more.

    Labels, any number of them: `diagonal` where at least `diagonal_share` of the steps are; `jumps`
    where there is a jump; `repetitions` where at least `longest` target words in a row stay on one
    source word (two are normal: *does not*, a separated particle). A single word is `diagonal`.
    """
    rows = weights[(weights > 0).any(axis=-1)]
    if not len(rows):
        return Path(0.0, 0.0, 0.0, 0, ())
    steps = np.diff(rows.argmax(axis=-1))
    run = most = 1
    for step in steps.tolist():
        run = run + 1 if step == 0 else 1
        most = max(most, run)
    n = len(steps)
    diagonal = float(np.isin(steps, (1, 2)).mean()) if n else 1.0
    repetition = float((steps == 0).mean()) if n else 0.0
    jump = float(((steps < 0) | (steps > 2)).mean()) if n else 0.0
    labels = {
        "diagonal": diagonal >= diagonal_share,
        "jumps": jump > 0,
        "repetitions": most >= longest,
    }
    return Path(diagonal, jump, repetition, most, tuple(name for name, given in labels.items() if given))
