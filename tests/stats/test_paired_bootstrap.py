"""Paired bootstrap, against sacrebleu's own test."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from probeta.stats.paired_bootstrap import SEED, _statistics, paired_bootstrap, resampled_differences

RNG = np.random.default_rng(3)
WORDS = [f"w{i}" for i in range(30)]
REFERENCES = [[str(w) for w in RNG.choice(WORDS, RNG.integers(3, 14))] for _ in range(60)]


def noisy(keep: float) -> list[str]:
    return [" ".join(w if RNG.random() < keep else str(RNG.choice(WORDS)) for w in r) for r in REFERENCES]


TEXTS = [" ".join(r) for r in REFERENCES]
WORSE, BETTER = noisy(0.70), noisy(0.85)


@pytest.fixture(autouse=True)
def sacrebleus_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", str(SEED))


@pytest.mark.parametrize("tokenize", ["none", "13a"])
def test_scores_and_resamples_are_sacrebleus(tokenize: str) -> None:
    metric = BLEU(tokenize=tokenize, force=True, references=[TEXTS])
    _, results = PairedTest([("a", WORSE), ("b", BETTER)], {"BLEU": metric}, None, n_samples=300)()
    base, other = results["BLEU"]
    ours = paired_bootstrap(WORSE, BETTER, TEXTS, samples=300, tokenize=tokenize)
    assert ours.bleu_a == pytest.approx(base.score, abs=1e-4)
    assert ours.bleu_b == pytest.approx(other.score, abs=1e-4)
    single = BLEU(tokenize=tokenize, force=True, effective_order=True)
    differences = resampled_differences(
        _statistics(single, WORSE, TEXTS), _statistics(single, BETTER, TEXTS), 300, SEED
    )
    # sacrebleu's rule, from our resamples.
    sizes = np.abs(differences)
    expected = (np.sum(sizes - sizes.mean() > abs(ours.difference)) + 1) / 301
    assert other.p_value == pytest.approx(expected)
    assert ours.low < ours.difference < ours.high


def test_a_clear_difference_is_significant_and_its_sign_is_kept() -> None:
    ahead, behind = (paired_bootstrap(*pair, TEXTS, samples=300) for pair in ((WORSE, BETTER), (BETTER, WORSE)))
    assert ahead.difference == pytest.approx(-behind.difference)
    assert ahead.difference > 0
    assert ahead.p_value < 0.05
    assert ahead.low > 0


def test_a_system_does_not_differ_from_itself() -> None:
    same = paired_bootstrap(BETTER, BETTER, TEXTS, samples=50)
    assert same.difference == 0.0
    assert same.p_value == 1.0


def test_the_same_seed_gives_the_same_result() -> None:
    first, again, other = (paired_bootstrap(WORSE, BETTER, TEXTS, samples=50, seed=s) for s in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)
    assert "tok:none" in first.signature
    assert first.signature.endswith("bs:50|seed:1")


def test_other_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="60 and 3 hypotheses for 60 references"):
        paired_bootstrap(WORSE, BETTER[:3], TEXTS)
