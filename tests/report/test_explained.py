"""The answer in words about explanations, of arrays whose truth is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import spearmanr

from probeta.report.answer import Answer
from probeta.report.explained import correlate_alignment, explain_attention
from probeta.report.explained_runs import Explained
from probeta.report.explained_tables import EXPLANATIONS
from probeta.report.language import Language
from probeta.report.summary import Summary


def survey(rng: np.random.Generator, share: float, by_sentence: np.ndarray, heads: int = 1) -> dict[str, Any]:
    """A run whose weights explain `share` of what can be explained, about."""
    n = len(by_sentence)
    random, most = 0.5 + by_sentence, 0.3 + by_sentence
    found: dict[str, Any] = {}
    for kind in ("all", "noun"):
        found |= {
            f"area/random/{kind}": random + rng.normal(0, 0.01, n),
            f"area/left_out/{kind}": most + rng.normal(0, 0.01, n),
            f"area/weight/{kind}": random - share * (random - most) + rng.normal(0, 0.01, n),
        }
    for name in ("random", "left_out", "weight"):
        found[f"area/{name}/noun"][0] = np.nan  # a sentence without a noun
    found |= {"tau/weight/all": rng.normal(0.3, 0.1, n), "aer_of/weight": 0.2 + rng.normal(0, 0.01)}
    found |= {"link/top/all": np.full(n, 0.4), "link/others/all": np.full(n, 0.01)}
    found |= {"exact/nothing": np.ones(n), "exact/all cut": np.zeros(n), "drop/all cut": np.full(n, 3.0)}
    lost = np.arange(heads)[:, None] * np.ones((heads, n)) / heads
    found |= {
        "heads/name": np.array([f"cross 1.{h + 1}" for h in range(heads)]), "heads/lost": lost,
        "heads/drop": np.full((heads, n), 0.03),
        "heads/aer": 1 - np.arange(heads) / heads, "heads/pruned": np.linspace(1, 0, heads + 1),
        "change/tense": np.array([[0, 0, 1, 1, 1], [0, 1, 0, 1, 0], [1, 0, 1, 1, 0], [1, 1, 0, 1, 0]], dtype=float),
    }  # fmt: skip
    return found


def answer(shares: dict[str, float], seeds: int = 5, heads: int = 1, lang: str = "en") -> Answer | None:
    rng = np.random.default_rng(0)
    by_sentence = rng.normal(0, 0.05, 40)
    groups = [
        SimpleNamespace(
            variant=name,
            runs=[
                SimpleNamespace(completed=True, artifacts=SimpleNamespace(read=read.get))
                for read in ({"explanations": survey(rng, share, by_sentence, heads)} for _ in range(seeds))
            ],
        )
        for name, share in shares.items()
    ]
    return explain_attention(cast(Summary, SimpleNamespace(groups=groups)), Language(lang))


def test_kinds_are_told_apart_at_one_half() -> None:
    found = answer({"dot": 0.9, "local": 0.1, "general": 0.5})
    assert found is not None
    explains, translates, open_, tested, *_ = found.sentences
    assert "explains the word" in explains
    assert "dot (0.9" in explains
    assert "only translates" in translates
    assert "local (0.1" in translates
    assert "do not tell" in open_
    assert "general" in open_
    assert "over 3 kinds" in tested
    assert any("fall from 1 to 0" in s for s in found.sentences)
    assert any("0.4 bits" in s for s in found.sentences)
    titles = [table.title for table in found.tables]
    assert "Explained, by explanation" in titles
    kinds = found.tables[titles.index("Explained by the weight, by kind of word")]
    assert list(kinds.head) == ["variant", "nouns (39 sentences)"]
    change = next(table for table in found.tables if table.hint)
    assert change.rows[0][1].text == "0.75"
    assert not found.charts


def test_it_is_told_in_spanish() -> None:
    found = answer({"dot": 0.9, "local": 0.1}, lang="es")
    assert found is not None
    assert found.sentences[0].startswith("El peso explica la palabra")
    assert "producto escalar" in found.sentences[0]


def test_one_seed_decides_nothing() -> None:
    found = answer({"dot": 0.9}, seeds=1)
    assert found is not None
    assert "do not tell" in found.sentences[0]
    assert not any("Tested" in s for s in found.sentences)


def test_heads_that_align_and_matter_are_told_and_pruned() -> None:
    found = answer({"multi-head": 0.7}, heads=4)
    assert found is not None
    assert any("of its 4 heads" in s and "rank correlation 1 " in s for s in found.sentences)
    heads = next(table for table in found.tables if table.title == "Heads of multi-head")
    assert [cell.text for cell in heads.rows[2]] == ["source 1.3", "0.5", "0.03", "0.5"]
    assert list(heads.head) == ["head", "exact translations lost", "what a word loses, nats", "alignment error rate"]
    assert [series["x"] for series in found.charts[0].data["series"]] == [[0, 0.25, 0.5, 0.75, 1]]


def test_runs_of_an_open_kind_are_told_apart_by_how_well_they_align() -> None:
    rng = np.random.default_rng(3)
    by_sentence = rng.normal(0, 0.05, 40)
    runs = [survey(rng, share, by_sentence) | {"aer/nothing": 0.9 - share} for share in (0.0, 0.9, 0.8, 0.1, 0.6)]
    group = SimpleNamespace(
        variant="local",
        runs=[
            SimpleNamespace(completed=True, artifacts=SimpleNamespace(read={"explanations": run}.get)) for run in runs
        ],
    )
    found = explain_attention(cast(Summary, SimpleNamespace(groups=[group])), Language())
    assert found is not None
    assert "do not tell" in found.sentences[0]
    assert found.sentences[1].startswith("local: its 5 runs explain from ")
    assert found.sentences[1].endswith("how well they align, 1.")


def test_the_correlation_of_alignment_and_worth_is_spearmans_over_the_heads_on_the_source() -> None:
    rng = np.random.default_rng(2)
    lost, aer = rng.integers(0, 3, (8, 30)).astype(float), rng.random(8).round(1)
    run = {"heads/lost": np.vstack([lost, np.ones((2, 30))]), "heads/aer": np.array([*aer, np.nan, np.nan])}
    assert correlate_alignment(run) == pytest.approx(spearmanr(lost.mean(1), 1 - aer).statistic)


def test_runs_that_explained_nothing_have_no_answer() -> None:
    assert answer({}) is None
    group = SimpleNamespace(
        variant="a", runs=[SimpleNamespace(completed=True, artifacts=SimpleNamespace(read=lambda name: None))]
    )
    assert explain_attention(cast(Summary, SimpleNamespace(groups=[group])), Language()) is None


def test_the_share_is_that_of_the_means_over_sentences_that_all_have_the_word() -> None:
    rng = np.random.default_rng(1)
    one = Explained("a", [survey(rng, 0.4, np.zeros(30)) for _ in range(3)])
    found = one.share("weight", "noun")
    assert found is not None
    assert found.value == pytest.approx(0.4, abs=0.02)
    pair = one.contrast("weight", "noun")
    assert pair is not None
    assert pair[0].shape == (3, 29)
    assert one.share("rollout") is None
    assert set(EXPLANATIONS) >= {"weight", "left_out"}
