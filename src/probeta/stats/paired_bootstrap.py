"""Is one system's BLEU above another's beyond chance? Paired bootstrap resampling (Koehn 2004)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 12345
"""sacrebleu's own default, so that its command line draws the same sentences: the same BLEU, mean and interval.

Its p is another, about half as large: it sets the resampled |differences| off from their own mean, so that the tail is
that of one side. Here signed differences are set off from theirs, which is the two-sided test (Riezler & Maxwell 2005).
"""


@dataclass(frozen=True)
class PairedComparison:
    """BLEU of two systems on the same sentences; intervals hold 95 % of the resamples."""

    bleu_a: float
    bleu_b: float
    difference: float
    """`bleu_b - bleu_a`."""
    low: float
    high: float
    """The interval of the difference."""
    p_value: float
    """Two-sided: how often chance alone gives a difference as large (Riezler & Maxwell 2005)."""
    sentences: int
    samples: int
    signature: str


def paired_bootstrap(
    hypotheses_a: Sequence[str],
    hypotheses_b: Sequence[str],
    references: Sequence[str],
    *,
    samples: int = 1000,
    seed: int = SEED,
    tokenize: str = "none",
) -> PairedComparison:
    """Compare two systems' outputs on the same references, line by line.

    Sentences are drawn with replacement `samples` times, the same for both; BLEU is computed of each draw
    from the sums of the sentences' n-gram counts. The p-value counts the draws whose difference lies as far
    from the mean difference as the real one from zero: `(count + 1) / (samples + 1)`.
    """
    if not len(hypotheses_a) == len(hypotheses_b) == len(references) or not len(references):
        raise ValueError(f"{len(hypotheses_a)} and {len(hypotheses_b)} hypotheses for {len(references)} references")
    from sacrebleu.metrics.bleu import BLEU

    # sacrebleu asks for effective order where single sentences are scored; only their counts are used.
    metric = BLEU(tokenize=tokenize, force=True, effective_order=True)
    a, b = (_statistics(metric, hypotheses, references) for hypotheses in (hypotheses_a, hypotheses_b))
    bleu_a, bleu_b = _bleu(a.sum(0)), _bleu(b.sum(0))
    differences = resampled_differences(a, b, samples, seed)
    signed = BLEU(tokenize=tokenize)
    signed.corpus_score([hypotheses_a[0]], [[references[0]]])  # a signature needs a reference
    extreme = int((np.abs(differences - differences.mean()) >= abs(bleu_b - bleu_a)).sum())
    return PairedComparison(
        bleu_a=bleu_a,
        bleu_b=bleu_b,
        difference=bleu_b - bleu_a,
        low=float(np.quantile(differences, 0.025)),
        high=float(np.quantile(differences, 0.975)),
        p_value=(extreme + 1) / (samples + 1),
        sentences=len(references),
        samples=samples,
        signature=f"{signed.get_signature()}|bs:{samples}|seed:{seed}",
    )


def resampled_differences(a: NDArray[np.int64], b: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.float64]:
    """BLEU of `b` less BLEU of `a`, `(samples,)`, each of one draw of the sentences' `(sentences, 10)` counts."""
    draws = np.random.default_rng(seed).choice(len(a), size=(samples, len(a)), replace=True)
    return np.array([_bleu(b[rows].sum(0)) - _bleu(a[rows].sum(0)) for rows in draws])


def sentence_bleu(hypotheses: Sequence[str], references: Sequence[str], tokenize: str = "none") -> list[float]:
    """sacrebleu's BLEU of each sentence, over the orders that it has n-grams for, on 0–100."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(tokenize=tokenize, force=True, effective_order=True)
    return [float(metric.sentence_score(h, [r]).score) for h, r in zip(hypotheses, references, strict=True)]


def _statistics(metric: object, hypotheses: Sequence[str], references: Sequence[str]) -> NDArray[np.int64]:
    """`(sentences, 10)`: hypothesis and reference length, then matches and totals of 1- to 4-grams."""
    rows = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        score = metric.sentence_score(hypothesis, [reference])  # type: ignore[attr-defined]
        rows.append([score.sys_len, score.ref_len, *score.counts, *score.totals])
    return np.array(rows, np.int64)


def _bleu(sums: NDArray[np.int64]) -> float:
    from sacrebleu.metrics.bleu import BLEU

    counts = sums.tolist()
    return float(BLEU.compute_bleu(counts[2:6], counts[6:10], counts[0], counts[1], smooth_method="exp").score)
