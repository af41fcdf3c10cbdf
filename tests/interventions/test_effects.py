"""What interventions do, against passes over one sentence after another; heads against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from probeta.interventions import effects
from probeta.interventions.changes import Change, Cut, Plan, Row, Temperature, count_heads, find_sites, intervene
from probeta.interventions.effects import Head, ablate_heads, measure, prune_heads, whole_sentences
from probeta.interventions.passes import Case, Subject
from probeta.metrics.translation import bleu

from .nets import make_net, make_subject

KINDS_OF_NETS = ["general", "multi_head", "transformer"]


def learned(kind: str) -> Subject:
    """A net that knows its three sentences by heart."""
    net = make_net(kind)
    subject = make_subject(net)
    target = subject.batch.target
    optimizer = torch.optim.Adam(net.parameters(), 0.03)
    for _ in range(60):
        optimizer.zero_grad()
        logits = net(subject.batch.source, target[:, :-1])
        torch.nn.functional.cross_entropy(logits.mT, target[:, 1:], ignore_index=0).backward()
        optimizer.step()
    return subject


def alone(subject: Subject, i: int, row: Row, target: list[int]) -> torch.Tensor:
    """log p of every next word after `target`, of one sentence without padding."""
    length = int(subject.lengths[i])
    plan = Plan(subject.net, [row], subject.lengths[i : i + 1], len(target), length)
    with torch.no_grad(), intervene(subject.net, plan):
        return torch.log_softmax(subject.net(subject.batch.source[i : i + 1, :length], torch.tensor([target])), -1)[0]


def write(subject: Subject, i: int, row: Row, most: int = 10) -> list[int]:
    words = [1]
    while len(words) <= most:
        log_p = alone(subject, i, row, words)[-1]
        log_p[[0, 1]] = -torch.inf
        if (word := int(log_p.argmax())) == 2:
            break
        words.append(word)
    return words[1:]


@pytest.mark.parametrize("kind", KINDS_OF_NETS)
@pytest.mark.parametrize("change", [Cut(column=1), Cut(mean=True), Temperature(value=4.0)], ids=repr)
def test_effects_are_those_of_one_sentence_after_another(kind: str, change: Change) -> None:
    subject = learned(kind)
    found = measure(subject, {"nothing": [()] * 3, "change": [(change,)] * 3})["change"]
    said, wanted = [], []
    for i, steps in enumerate(subject.steps.tolist()):
        words = subject.batch.target[i, : steps + 1].tolist()
        p, q = (alone(subject, i, row, words[:-1]).double() for row in ((), (change,)))
        drop = [float(p[t, word] - q[t, word]) for t, word in enumerate(words[1:])]
        assert found.drop[i] == pytest.approx(np.mean(drop), abs=1e-5)
        apart = jensenshannon(p.exp().numpy(), q.exp().numpy(), base=2, axis=1) ** 2
        assert found.divergence[i] == pytest.approx(apart.mean(), abs=1e-5)
        assert found.changed[i] == pytest.approx(np.mean((p.argmax(-1) != q.argmax(-1)).tolist()))
        said.append(write(subject, i, (change,)))
        wanted.append(words[1:-1])
        assert found.exact[i] == (said[-1] == wanted[-1])
    assert found.bleu == pytest.approx(
        bleu(*([[str(w) for w in ids] for ids in side] for side in (said, wanted))).value
    )
    assert found.divergence.max() > 0


def test_a_layer_of_each_kind_is_cut_where_there_are_several() -> None:
    named = {name for name in whole_sentences(make_subject(make_net("transformer"))) if name[-5:] in ("1 cut", "2 cut")}
    assert named == {f"{kind} {layer} cut" for kind in ("cross", "encoder", "decoder") for layer in (1, 2)}
    assert not any(name.startswith("cross") for name in whole_sentences(make_subject(make_net("multi_head"))))


@pytest.mark.parametrize("kind", ["multi_head", "transformer"])
def test_a_head_is_worth_the_exact_translations_that_are_lost_without_it(kind: str) -> None:
    subject = learned(kind)
    wanted = [write(subject, i, ()) for i in range(3)]
    assert wanted == [subject.batch.target[i, 1:end].tolist() for i, end in enumerate(subject.steps.tolist())]
    heads = ablate_heads(subject)
    assert len(heads) == sum(count_heads(module) for module in find_sites(subject.net).values())
    for head in heads:
        cut = Cut(kind=head.kind, layer=head.layer, head=head.head)
        lost = [float(write(subject, i, (cut,)) != wanted[i]) for i in range(3)]
        assert head.lost.tolist() == lost
        for i, steps in enumerate(subject.steps.tolist()):
            words = subject.batch.target[i, : steps + 1].tolist()
            p, q = (alone(subject, i, row, words[:-1]) for row in ((), (cut,)))
            drop = [float(p[t, word] - q[t, word]) for t, word in enumerate(words[1:])]
            assert head.drop[i] == pytest.approx(np.mean(drop), abs=1e-5)
    assert {float(head.lost.mean()) for head in heads} != {0.0}


def test_heads_are_pruned_the_cheapest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [("cross", 0, 0, 0.5, 0.1), ("encoder", 1, 1, 0.0, 0.3), ("decoder", 0, 1, 0.0, 0.4)]
    heads = [
        Head(kind, layer, head, np.array([cost, cost]), np.array([drop, drop]), np.nan)
        for kind, layer, head, cost, drop in places
    ]
    asked: list[Case] = []

    def match(subject: Subject, cases: list[Case]) -> np.ndarray:
        asked.extend(cases)
        return np.arange(len(cases), dtype=float)

    monkeypatch.setattr(effects, "exact_matches", match)
    curve = prune_heads(make_subject(make_net("transformer")), heads)
    order = [Cut(kind=kind, layer=layer, head=head) for kind, layer, head, _, _ in (places[1], places[2], places[0])]
    assert [(i, list(row)) for i, row in asked] == [(i, order[:k]) for k in range(4) for i in range(3)]
    assert curve.tolist() == [1, 4, 7, 10]
