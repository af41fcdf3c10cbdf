"""Two runs compared from their files alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics.chrf import CHRF

from probeta.errors import RunDirectoryError
from probeta.metrics.translation_analysis import analysis
from probeta.report.compare import compare
from probeta.report.language import Language
from probeta.runs.artifacts import Artifacts
from probeta.stats.paired_bootstrap import paired_bootstrap

RNG = np.random.default_rng(4)
WORDS = [f"w{i}" for i in range(25)]
REFERENCES = [[str(w) for w in RNG.choice(WORDS, RNG.integers(4, 12))] for _ in range(50)]


def noisy(keep: float) -> list[list[str]]:
    return [[w if RNG.random() < keep else str(RNG.choice(WORDS)) for w in r] for r in REFERENCES]


def lines(sentences: list[list[str]]) -> list[str]:
    return [" ".join(words) for words in sentences]


def write(folder: Path, hypotheses: list[list[str]], references: list[list[str]] = REFERENCES) -> Path:
    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    for name, sentences in (("sources", references), ("hypotheses", hypotheses), ("references", references)):
        (artifacts / f"{name}.test.txt").write_text("".join(f"{line}\n" for line in lines(sentences)))
    Artifacts(artifacts).write(analysis("test", references, hypotheses, references))
    return folder


def test_scores_are_the_paired_bootstrap_of_the_files(tmp_path: Path) -> None:
    a, b = noisy(0.6), noisy(0.9)
    found = compare(write(tmp_path / "a", a), write(tmp_path / "b", b), samples=100)
    assert found.scores == paired_bootstrap(lines(a), lines(b), lines(REFERENCES), samples=100)
    assert len(found.gains) == 3
    assert all(e.bleu_b > e.bleu_a for e in found.gains)
    best = found.gains[0]
    assert best.b == lines(b)[best.number - 1]
    text = found.markdown(Language("en"))
    assert "the two differ" in text
    by_sacrebleu = [CHRF().corpus_score(lines(side), [lines(REFERENCES)]).score for side in (a, b)]
    assert found.chrf == pytest.approx(by_sacrebleu)
    assert f"| chrF | {by_sacrebleu[0]:.2f} | {by_sacrebleu[1]:.2f} |" in text
    assert "| substitutions |" in text
    spanish = found.markdown(Language("es"))
    assert "las dos difieren" in spanish
    assert "| sustituciones |" in spanish
    assert not {"source:", "errors", "gains", "differ", "sentences"} & set(spanish.split())


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    run = write(tmp_path / "a", noisy(0.7))
    found = compare(run, run, samples=50)
    assert found.scores.p_value == 1.0
    assert not found.gains
    assert not found.losses
    assert "do not differ beyond chance" in found.markdown(Language("en"))


def test_other_tokens_of_the_same_text_are_compared_as_text(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", noisy(0.7)), write(tmp_path / "b", noisy(0.8))
    Artifacts(second / "artifacts").write(analysis("test", REFERENCES, REFERENCES, [["other"]] * 50))
    assert "tok:13a" in compare(first, second, samples=20).scores.signature


def test_other_sentences_are_refused_with_the_line(tmp_path: Path) -> None:
    first = write(tmp_path / "a", noisy(0.7))
    changed = [*REFERENCES[:7], ["other"], *REFERENCES[8:]]
    with pytest.raises(RunDirectoryError, match="reference 8 is "):
        compare(first, write(tmp_path / "b", noisy(0.7), changed))
    with pytest.raises(RunDirectoryError, match=r"50 in .* 49 in "):
        compare(first, write(tmp_path / "c", noisy(0.7)[:49], REFERENCES[:49]))


def test_a_run_without_translations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="only finished runs of translators"):
        compare(tmp_path, tmp_path)


def test_comparing_needs_no_torch() -> None:
    code = "import sys, probeta.report.compare, probeta.metrics.translation_analysis; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"
