"""Scores of translations, against the libraries' command lines and plain loops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nltk
import numpy as np
import pytest
import sacrebleu

from probeta.metrics import translation

RNG = np.random.default_rng(1)
WORDS = ["ein", "mann", "der", "hund", "läuft", "rennt", "auf", "gras", ",", "."]
REFERENCES = [[str(w) for w in RNG.choice(WORDS, RNG.integers(4, 12))] for _ in range(40)]
HYPOTHESES = [[w if RNG.random() < 0.8 else str(RNG.choice(WORDS)) for w in r] for r in REFERENCES]
REFERENCES[3] = HYPOTHESES[3] = ["danke"]


def joined(sentences: list[list[str]]) -> list[str]:
    return [" ".join(words) for words in sentences]


def test_bleu_and_its_signature_are_sacrebleus_command_lines(tmp_path: Path) -> None:
    (tmp_path / "ref").write_text("\n".join(joined(REFERENCES)) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "sacrebleu", str(tmp_path / "ref"), "--tokenize", "none", "--force"]
    out = subprocess.run(
        [*command, "-m", "bleu", "-w", "6", "-f", "text"],
        input="\n".join(joined(HYPOTHESES)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    score = translation.bleu(HYPOTHESES, REFERENCES)
    assert f" = {score.value:.6f} " in out
    assert f"BLEU|{score.signature}" in out


def test_detokenised_scores_are_sacrebleus() -> None:
    hypotheses, references = ["Der Hund läuft, schnell.", "Ein Mann!"], ["Der Hund läuft schnell.", "Ein Mann."]
    twin = sacrebleu.corpus_bleu(hypotheses, [references])
    score = translation.bleu_detokenized(hypotheses, references)
    assert score.value == pytest.approx(twin.score)
    assert "tok:13a" in score.signature
    assert translation.chrf(hypotheses, references).value == pytest.approx(
        sacrebleu.corpus_chrf(hypotheses, [references]).score
    )


def test_lowercasing_is_told_by_the_signature() -> None:
    assert "case:lc" in translation.bleu_detokenized(["A b"], ["a b"], lowercase=True).signature


def test_the_empty_hypothesis_scores_zero() -> None:
    assert translation.bleu([[]], [["a"]]).value == 0.0
    assert translation.bleu_sentence([[]], [["a"]]) == 0.0


def test_sentence_bleu_is_the_mean_of_nltks_with_smoothing_1() -> None:
    smooth = nltk.translate.bleu_score.SmoothingFunction().method1
    twin = [
        nltk.translate.bleu_score.sentence_bleu([r], h, smoothing_function=smooth)
        for h, r in zip(HYPOTHESES, REFERENCES, strict=True)
    ]
    assert translation.bleu_sentence(HYPOTHESES, REFERENCES) == pytest.approx(np.mean(twin))


def test_twelve_exact_toy_translations_give_100_and_about_0_60() -> None:
    targets = """ich bin ein student|ich bin ein lehrer|er ist ein student|sie ist eine lehrerin|ich mag äpfel|
        ich mag bücher|wir mögen äpfel|sie mögen bücher|guten morgen|gute nacht|danke|bitte"""
    sentences = [line.split() for line in targets.split("|")]
    assert translation.bleu(sentences, sentences).value == pytest.approx(100.0)
    assert translation.bleu_sentence(sentences, sentences) == pytest.approx(0.60, abs=0.01)
    assert translation.exact_match(sentences, sentences) == 1.0


def test_exact_match_counts_whole_sentences() -> None:
    equal = sum(h == r for h, r in zip(HYPOTHESES, REFERENCES, strict=True))
    assert translation.exact_match(HYPOTHESES, REFERENCES) == pytest.approx(equal / 40)


def test_all_scores_have_names_and_signatures() -> None:
    texts = joined(HYPOTHESES), joined(REFERENCES)
    scores, signatures = translation.score_all(HYPOTHESES, REFERENCES, *texts)
    assert set(scores) == {"bleu", "chrf", "bleu_detok", "chrf_detok", "bleu_sentence", "exact_match"}
    assert "tok:none" in signatures["bleu"]
    assert scores["bleu"] == translation.bleu(HYPOTHESES, REFERENCES).value


def test_unequal_numbers_of_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="1 hypotheses for 2 references"):
        translation.bleu([["a"]], [["a"], ["b"]])
