"""Scores of translations against references, by the libraries that papers quote.

Words are what token-level scores count (`--tokenize none`, comparable with papers on tokenised text);
texts are detokenised (`13a`, comparable across tokenisations). No torch here: reports use it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Words = Sequence[str]


@dataclass(frozen=True)
class Score:
    """A corpus score on sacrebleu's 0–100 scale, with the signature that says how it was computed."""

    value: float
    signature: str


def bleu(hypotheses: Sequence[Words], references: Sequence[Words], lowercase: bool = False) -> Score:
    """Corpus BLEU of words as they are (Papineni et al. 2002; Post 2018, arXiv 1804.08771)."""
    return _corpus(_bleu("none", lowercase), _joined(hypotheses), _joined(references))


def bleu_detokenized(hypotheses: Sequence[str], references: Sequence[str], lowercase: bool = False) -> Score:
    """Corpus BLEU of running text under the `13a` tokenisation."""
    return _corpus(_bleu("13a", lowercase), hypotheses, references)


def chrf(hypotheses: Sequence[str], references: Sequence[str], lowercase: bool = False) -> Score:
    """chrF2, character n-grams up to 6 (Popović 2015), of texts or of words joined by spaces."""
    from sacrebleu.metrics.chrf import CHRF

    return _corpus(CHRF(lowercase=lowercase), hypotheses, references)


def bleu_sentence(hypotheses: Sequence[Words], references: Sequence[Words]) -> float:
    """Mean over sentences of NLTK's BLEU with smoothing method 1 (Chen & Cherry 2014), on 0–1."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smooth = SmoothingFunction().method1
    scores = [
        # NLTK smooths only the numerators: a one-word sentence would otherwise have no 4-gram to count.
        sentence_bleu([list(reference)], list(hypothesis), smoothing_function=smooth) if hypothesis else 0.0
        for hypothesis, reference in _paired(hypotheses, references)
    ]
    return float(np.mean(scores))


def exact_match(hypotheses: Sequence[Words], references: Sequence[Words]) -> float:
    """Share of sentences that are the reference, word by word."""
    return float(np.mean([list(h) == list(r) for h, r in _paired(hypotheses, references)]))


SCORES = ("bleu", "chrf", "bleu_detok", "chrf_detok", "bleu_sentence", "exact_match")
"""The names of `score_all`."""


def score_all(
    hypotheses: Sequence[Words],
    references: Sequence[Words],
    hypothesis_texts: Sequence[str],
    reference_texts: Sequence[str],
    lowercase: bool = False,
) -> tuple[dict[str, float], dict[str, str]]:
    """Every score by its logged name (`bleu`, `chrf`, `bleu_detok`, …), and sacrebleu's signatures.

    `lowercase` says that the references were lowercased, so that the signatures tell.
    """
    corpus = {
        "bleu": bleu(hypotheses, references, lowercase),
        "chrf": chrf(_joined(hypotheses), _joined(references), lowercase),
        "bleu_detok": bleu_detokenized(hypothesis_texts, reference_texts, lowercase),
        "chrf_detok": chrf(hypothesis_texts, reference_texts, lowercase),
    }
    scores = {name: score.value for name, score in corpus.items()}
    scores["bleu_sentence"] = bleu_sentence(hypotheses, references)
    scores["exact_match"] = exact_match(hypotheses, references)
    return scores, {name: score.signature for name, score in corpus.items()}


@cache
def _bleu(tokenize: str, lowercase: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    # `force` keeps sacrebleu from warning about tokenised text where that is what is asked for.
    return BLEU(tokenize=tokenize, lowercase=lowercase, force=True)


def _corpus(metric: Any, hypotheses: Sequence[str], references: Sequence[str]) -> Score:
    pairs = list(_paired(hypotheses, references))
    score = metric.corpus_score([h for h, _ in pairs], [[r for _, r in pairs]])
    return Score(float(score.score), str(metric.get_signature()))


def _paired(hypotheses: Sequence[Any], references: Sequence[Any]) -> zip[tuple[Any, Any]]:
    if len(hypotheses) != len(references) or not len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references")
    return zip(hypotheses, references, strict=True)


def _joined(sentences: Sequence[Words]) -> list[str]:
    return [" ".join(words) for words in sentences]
