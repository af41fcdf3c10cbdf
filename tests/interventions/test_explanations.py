"""Explanations against loops, and against nets of which it is known what explains them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from probeta.interventions.effects import (
    ablate_heads,
    cut_links,
    error_rate,
    exact_matches,
    measure,
    prune_heads,
    top_and_random,
    whole_sentences,
)  # fmt: skip
from probeta.interventions.explanations import Deletions, attribute, embedding, explain, judge, rank_correlation, watch
from probeta.interventions.passes import Subject
from probeta.interventions.survey import Survey, _explanations, make_survey, share_explained

from . import copier
from .nets import KINDS, make_net, make_subject


def log_p(subject: Subject, i: int, source: list[int]) -> torch.Tensor:
    """Of the reference's words after `source`, by the net itself."""
    target = subject.batch.target[i : i + 1]
    logits = subject.net(torch.tensor([source]), target[:, :-1])
    return torch.log_softmax(logits, -1)[0].gather(-1, target[0, 1:, None])[:, 0].detach()


def surveyed(subject: Subject) -> Survey:
    """As `make_survey`, of sentences that are no data's."""
    found = Survey()
    bare = Subject(subject.net, subject.spec, subject.batch)
    _explanations(bare, bare, found, 2, 8, 0)
    return found


def test_a_net_whose_attention_is_the_answer_measures_one() -> None:
    subject = copier.make_subject()
    found = surveyed(subject)
    for name in ("weight", "value_norm", "left_out"):
        assert share_explained(found, name) == pytest.approx(1, abs=1e-6)
        assert found.mean(f"tau/{name}/all") == pytest.approx(1)
    assert found.mean("link/top/all") == pytest.approx(1, abs=1e-6)
    assert found.mean("link/others/all") == pytest.approx(0, abs=1e-6)
    effects = measure(subject, whole_sentences(subject))
    exact = {name: effect.exact.mean() for name, effect in effects.items()}
    assert (exact["nothing"], exact["gold"], exact["temperature 2"]) == (1, 1, 1)
    assert (exact["all cut"], exact["top words cut"], exact["uniform"]) == (0, 0, 0)
    assert effects["nothing"].aer == effects["gold"].aer == 0
    assert error_rate(subject, judge(subject).scores["weight"]) == 0


def test_a_net_whose_values_are_constant_measures_zero() -> None:
    subject = copier.make_subject(constant=True)
    found = surveyed(subject)
    assert math.isnan(share_explained(found, "weight"))
    assert found.mean("link/top/all") == pytest.approx(0, abs=1e-9)
    for name, effect in measure(subject, whole_sentences(subject)).items():
        if name != "all cut":
            assert np.abs(effect.drop).max() < 1e-5
            assert np.abs(effect.divergence).max() < 1e-6


def test_links_drawn_at_random_are_worth_what_random_ones_are() -> None:
    """In a net whose weights say nothing, the most attended word is as good as any other."""
    weights = np.random.default_rng(0).random((2000, 1, 8))
    worth = np.random.default_rng(1).random((2000, 1, 8))
    top, others = top_and_random(weights, worth)
    assert abs(top.mean() - others.mean()) < 4 * worth.std() / math.sqrt(2000)
    top, others = top_and_random(worth, worth)
    assert np.allclose(top, worth.max(-1))
    assert np.allclose(others, (worth.sum(-1) - worth.max(-1)) / 7)


def test_a_random_order_loses_a_word_as_often_as_it_deletes_the_one_it_is_copied_from() -> None:
    subject = copier.make_subject()
    random = judge(subject, 2, draws=400, path_steps=2).area["random"]
    for i, length in enumerate((4, 3, 5)):
        kept = ((length - 1) / length + (length - 2) / length) / 2
        assert random[i, :length].mean() == pytest.approx(kept, abs=0.04)


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_words_out_is_reading_the_sentence_without_them(kind: str) -> None:
    subject = make_subject(make_net(kind))
    deletions = Deletions(subject)
    left_out = deletions.left_out()
    source = [1, 4, 5, 6, 7, 2]
    for s in range(1, 5):
        worth = log_p(subject, 0, source) - log_p(subject, 0, [w for at, w in enumerate(source) if at != s])
        assert np.allclose(left_out[0, :, s], worth.numpy(), atol=1e-4)
    assert (left_out[:, :, 0] == 0).all()
    scores = np.zeros((3, 4, 6))
    scores[0, :, [2, 4]] = [[2.0], [1.0]]
    area = deletions.area(scores, 2)
    expected = (log_p(subject, 0, [1, 4, 6, 7, 2]).exp() + log_p(subject, 0, [1, 4, 6, 2]).exp()) / 2
    assert np.allclose(area[0], expected.numpy(), atol=1e-5)
    assert np.isnan(area[1]).tolist() == [False, False, False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_add_up_to_what_the_whole_input_does(kind: str) -> None:
    net = make_net(kind)
    subject = make_subject(net)
    weight = embedding(net).weight  # type: ignore[union-attr]
    whole = weight.detach().clone()

    def at(scale: float) -> torch.Tensor:
        weight.data = scale * whole  # type: ignore[union-attr,operator]
        found = log_p(subject, 2, [1, 10, 11, 4, 2, 0])
        weight.data = whole  # type: ignore[union-attr]
        return found

    paths = attribute(subject, 256)[2].sum(-1)
    assert torch.allclose(paths, at(1.0) - at(0.0), atol=3e-3)
    slope = (at(1.01) - at(0.99)) / 0.02
    assert torch.allclose(attribute(subject, 1)[2].sum(-1), slope, atol=5e-3)


def test_norms_and_rollout_are_those_of_a_loop() -> None:
    net = make_net("transformer")
    subject = make_subject(net)
    seen, found = watch(subject), explain(subject, 2)
    weights, values = seen["cross", 1]
    output = net.decoder.layers[1].cross.output.weight.detach()  # type: ignore[union-attr,index]
    for t, s in ((0, 1), (2, 4)):
        parts = [weights[0, h, t, s] * output[:, 4 * h : 4 * h + 4] @ values[0, h, s] for h in range(2)]
        assert found["value_norm"][0, t, s] == pytest.approx(float(sum(parts).norm()), rel=1e-4)  # type: ignore[union-attr]
    mixed = [(seen["encoder", layer][0].mean(1)[0] + torch.eye(6)) / 2 for layer in (0, 1)]
    rolled = weights.mean(1)[0] @ mixed[1] @ mixed[0]
    assert np.allclose(found["rollout"][0], rolled.detach().numpy(), atol=1e-6)
    alone = make_subject(make_net("dot"))
    assert "rollout" not in explain(alone, 2)
    seen = watch(alone)
    norm = seen["cross", 0][0][0, 0, 1, 2] * seen["cross", 0][1][0, 0, 2].norm()
    assert explain(alone, 2)["value_norm"][0, 1, 2] == pytest.approx(float(norm), rel=1e-5)


def test_the_rank_correlation_is_kendalls() -> None:
    a, b = np.random.default_rng(0).integers(0, 5, (2, 40, 7)).astype(float)
    assert np.allclose(rank_correlation(a, b), [kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)])
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4.0)))


@pytest.mark.parametrize("kind", ["transformer", "multi_head", "local"])
def test_one_link_cut_alone_changes_the_step_it_is_of(kind: str) -> None:
    subject = make_subject(make_net(kind))
    links = cut_links(subject)
    assert np.isfinite(links.drop).sum(-1).tolist() == [[4] * 4, [2, 2, 2, 0], [3] * 4]
    assert np.nanmin(links.divergence) >= 0


def test_heads_are_ranked_and_pruned_one_after_another() -> None:
    subject = make_subject(make_net("transformer"))
    heads = ablate_heads(subject)
    assert [(h.kind, h.layer, h.head) for h in heads if h.kind == "cross"] == [
        ("cross", layer, head) for layer in (0, 1) for head in (0, 1)
    ]
    assert len(heads) == 12
    assert len(prune_heads(subject, heads)) == 13
    copied = copier.make_subject()
    [head] = ablate_heads(copied)
    assert (head.lost.tolist(), head.aer) == ([1, 1, 1], 0)
    assert prune_heads(copied, [head]).tolist() == [1, 0]
    assert exact_matches(copied, [(0, ()), (2, ())]).tolist() == [1, 1]


@pytest.mark.slow
def test_a_survey_tells_of_grammar_and_of_text_without_gold_links() -> None:
    from probeta.data.grammar.data import GrammarData
    from probeta.data.toy_pairs import ToyPairsData

    for data in (GrammarData(n_samples=200, n_val=12, n_test=12, max_depth=0, max_length=8), ToyPairsData()):
        data.setup()
        spec, net = data.spec, make_net("transformer")
        big = type(net)(spec.source_vocab_size, spec.target_vocab_size, 0, hidden_size=8, encoder_layers=1,
                        decoder_layers=1, heads=2, feed_forward=8)  # fmt: skip
        found = make_survey(big.eval(), spec, data, 6, path_steps=2)
        gold = isinstance(data, GrammarData)
        assert ("explain/counterfactual_acc/tense" in found.metrics) == gold
        assert any(row["kind"] == "noun" for row in found.rows() if "kind" in row) == gold
        assert {row["quantity"] for row in found.rows()} >= {"area", "tau", "exact", "head_lost", "pruned"}
