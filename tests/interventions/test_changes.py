"""Interventions against loops over single weights, and against the net that nothing was done to."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from probeta.errors import ConfigError
from probeta.interventions.changes import (
    Change,
    Cut,
    Force,
    Plan,
    Temperature,
    count_heads,
    find_sites,
    hook_attention,
    intervene,
)
from probeta.interventions.panel import change_everywhere, cut_one_by_one
from probeta.interventions.passes import Case, read, references, translate
from probeta.nn.decoding import greedy
from probeta.nn.multi_head import MultiHeadAttention
from probeta.nn.translator import Translator

from .nets import KINDS, SPEC, make_net, make_subject


def changed(weights: Tensor, row: list[Change], length: int, causal: bool = False) -> Tensor:
    """Weights `(h, T, S)` after `row`, one number after another."""
    table = weights.double().tolist()
    for kind in (Temperature, Force, Cut):
        for h, rows in enumerate(table):
            for t, alpha in enumerate(rows):
                own = [c for c in row if isinstance(c, kind) and c.head in (None, h) and c.row in (None, t)]
                for change in own if kind is not Cut else own[:1]:
                    total = sum(alpha)
                    if isinstance(change, Temperature):
                        powers = [a ** (1 / change.value) for a in alpha]
                        alpha[:] = [total * p / sum(powers) for p in powers]
                    elif isinstance(change, Force) and change.weights is not None and t < len(change.weights):
                        alpha[:] = [float(w) for w in change.weights[t]]
                    elif isinstance(change, Cut):
                        end = t + 1 if causal else length
                        lost = {c.column: c for c in own if isinstance(c, Cut)}
                        gone = [s for s in range(len(alpha)) if None in lost or s in lost]
                        rest = sum(a for s, a in enumerate(alpha) if s not in gone)
                        if change.mean:
                            spread = sum(alpha[s] for s in gone) / end
                            alpha[:] = [(0 if s in gone else a) + (spread if s < end else 0)
                                        for s, a in enumerate(alpha)]  # fmt: skip
                        else:
                            alpha[:] = [0 if s in gone else a * total / rest for s, a in enumerate(alpha)]
    return torch.tensor(table)


ROWS: dict[str, list[Change]] = {
    "nothing": [],
    "word": [Cut(column=2)],
    "words": [Cut(column=1), Cut(column=2)],
    "link": [Cut(row=1, column=3)],
    "mean": [Cut(column=2, mean=True)],
    "all": [Cut()],
    "all to their mean": [Cut(mean=True)],
    "temperature": [Temperature(value=2.0)],
    "forced": [Force(weights=torch.softmax(torch.arange(24.0).view(4, 6) % 5, -1))],
    "all together": [Temperature(value=0.5), Force(weights=torch.full((1, 6), 1 / 6)), Cut(column=1)],
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_changes_is_what_a_loop_makes_of_the_weights(name: str) -> None:
    row = ROWS[name]
    net = make_net("multi_head")
    torch.manual_seed(3)
    weights = torch.softmax(torch.randn(1, 2, 4, 6).masked_fill(torch.arange(6) > 4, -torch.inf), -1)
    plan = Plan(net, [row], torch.tensor([5]), 4, 6)
    got = plan.hooks["cross", 0](weights, weights, 0)[0] if plan.hooks else weights[0]
    expected = changed(weights[0], row, 5).float()
    if name == "all":
        expected = torch.zeros_like(expected)
    assert torch.allclose(got, expected, atol=1e-6)
    assert (row != []) == (not torch.equal(got, weights[0]))


def test_the_mean_of_a_causal_row_is_that_of_its_past() -> None:
    net = make_net("transformer")
    weights = torch.full((1, 2, 4, 4), 0.0) + torch.eye(4)
    plan = Plan(net, [[Cut(kind="decoder", mean=True)]], torch.tensor([6]), 4, 6)
    assert set(plan.hooks) == {("decoder", 0), ("decoder", 1)}
    got = plan.hooks["decoder", 0](weights, weights, 0)
    assert torch.allclose(got[0, 0], torch.ones(4, 4).tril() / torch.arange(1.0, 5)[:, None])


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_that_are_gone_leave_every_bit_as_it_was(kind: str) -> None:
    net = make_net(kind)
    subject = make_subject(net)
    source, target = subject.batch.source, subject.batch.target[:, :-1]
    before = net(source, target), greedy(net, source, 6, bos_id=1, eos_id=2, need_weights=True)
    prepared = net.prepare()
    rows: list[list[Change]] = [[Cut(column=1)]] * 3
    with intervene(net, Plan(net, rows, subject.lengths, target.shape[1], source.shape[1])):
        other = net(source, target)
        # Weights that a search prepared before are those of a faster form, which asks no hook.
        started = net.step(source[:, 0], net.start(net.encode(source), prepared))[0]
    assert not torch.allclose(before[0], other)
    assert torch.allclose(started, other[:, 0], atol=1e-5)
    assert torch.equal(before[0], net(source, target))
    after = greedy(net, source, 6, bos_id=1, eos_id=2, need_weights=True)
    for a, b in zip(before[1], after, strict=True):
        assert (a.tokens, a.score) == (b.tokens, b.score)
        assert a.attention is not None
        assert b.attention is not None
        assert torch.equal(a.attention, b.attention)
    assert all(module.hook is None for module in find_sites(net).values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_sees_every_attention_and_what_it_gives_is_read(kind: str) -> None:
    """Zero weights everywhere are a net whose attentions all give what zero contexts give."""
    net = make_net(kind)
    subject = make_subject(net)
    sites = find_sites(net)
    kinds = {"cross", "encoder", "decoder"} if kind == "transformer" else {"cross"}
    assert {k for k, _ in sites} == kinds
    seen: dict[tuple[str, int], list[tuple[int, ...]]] = {}

    def zero(site: tuple[str, int]):  # type: ignore[no-untyped-def]
        def hook(weights: Tensor, values: Tensor, offset: int) -> Tensor:
            seen.setdefault(site, []).append(tuple(weights.shape))
            assert weights.shape[-1] == values.shape[-2]
            assert weights.shape[1] == count_heads(sites[site])
            return torch.zeros_like(weights)

        return hook

    with hook_attention(net, {site: zero(site) for site in sites}):
        a = net(subject.batch.source, subject.batch.target[:, :-1])
        other = subject.batch.source.flip(1)
        # Nothing of the source gets through attention; of a recurrent net the first state still does.
        if kind == "transformer":
            assert torch.allclose(a, net(other, subject.batch.target[:, :-1]), atol=1e-6)
    assert set(seen) == set(sites)
    for site, module in sites.items():
        steps = sum(shape[2] for shape in seen[site])
        assert steps >= (6 if site[0] == "encoder" else 4)
        assert isinstance(module, MultiHeadAttention) == (kind == "transformer")


def test_kernels_stand_back_while_a_hook_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`scaled_dot_product_attention` has no weights to change."""
    monkeypatch.setattr("probeta.nn.cpu.attention.LONG", 0)
    net = make_net("transformer")
    subject = make_subject(net)
    source, target = subject.batch.source, subject.batch.target[:, :-1]
    before = net(source, target)
    with intervene(net, Plan(net, [[Cut(kind=k) for k in ("cross", "encoder", "decoder")]] * 3, subject.lengths, 4, 6)):
        other = net(source, target)
    monkeypatch.setattr("probeta.nn.cpu.attention.LONG", 10**9)
    assert torch.allclose(before, net(source, target), atol=1e-5)
    with intervene(net, Plan(net, [[Cut(kind=k) for k in ("cross", "encoder", "decoder")]] * 3, subject.lengths, 4, 6)):
        assert torch.equal(other, net(source, target))
    assert not torch.allclose(before, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Cut(kind="cros"), "unknown kind of attention 'cros': did you mean 'cross'?"),
        (Cut(kind="encoder", layer=2), "layer=2 is not accepted: encoder attention of this net has 2, counted from 0"),
        (Temperature(kind="decoder", head=2), "head=2 is not accepted: decoder attention of this net has 2"),
        (Cut(head=-1), "head=-1 is not accepted"),
    ],
)
def test_a_place_that_the_net_does_not_have_is_refused(change: Change, message: str) -> None:
    net = make_net("transformer")
    subject = make_subject(net)
    with pytest.raises(ConfigError, match=re.escape(message)):
        read(subject, [(0, ()), (1, (Cut(column=1), change))])


def cases() -> list[Case]:
    rows: list[list[Change]] = [*ROWS.values(), [Cut(head=0)], [Cut(kind="encoder", layer=1)], [Cut(kind="decoder")]]
    return [(i, row) for i in range(3) for row in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_many_interventions_in_one_batch_are_each_one_by_itself(kind: str) -> None:
    net = make_net(kind)
    subject = make_subject(net)
    together = read(subject, cases())
    words = translate(subject, cases())
    for n, case in enumerate(cases()):
        alone = read(subject, [case])
        assert np.allclose(alone.log_p[0], together.log_p[n], atol=1e-5, equal_nan=True)
        assert np.allclose(alone.divergence[0], together.divergence[n], atol=1e-5, equal_nan=True)
        assert translate(subject, [case]) == [words[n]]
    assert np.isnan(together.log_p[len(cases()) // 3]).sum() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_translation_under_an_intervention_is_the_best_word_of_every_prefix(kind: str) -> None:
    """Word by word, with links of single steps among what is cut, as whole passes over the prefix give it."""
    net: Translator = make_net(kind)
    subject = make_subject(net)
    row: list[Change] = [Cut(row=2, column=1), Cut(row=0, column=2), Cut(kind="decoder", row=1, column=0)]
    [words] = translate(subject, [(0, row)], extra=2)
    source, prefix = subject.batch.source[:1], [1]
    for word in words:
        inputs = torch.tensor([prefix])
        with intervene(net, Plan(net, [row], subject.lengths[:1], len(prefix), 6)):
            logits = net(source, inputs)[0, -1]
        logits[[0, 1]] = -torch.inf
        assert int(logits.argmax()) == word
        prefix.append(word)
    assert references(subject, [(1, [])]) == [[7, 8]]


def test_the_divergence_is_that_of_the_definition() -> None:
    net = make_net("additive")
    subject = make_subject(net)
    row: list[Change] = [Cut()]
    got = read(subject, [(0, row)])
    source, target = subject.batch.source[:1], subject.batch.target[:1, :-1]
    p = torch.softmax(net(source, target)[0].double(), -1)
    with intervene(net, Plan(net, [row], subject.lengths[:1], 4, 6)):
        q = torch.softmax(net(source, target)[0].double(), -1)
    m = (p + q) / 2
    expected = ((p * (p / m).log2()).sum(-1) + (q * (q / m).log2()).sum(-1)) / 2
    assert np.allclose(got.divergence[0], expected.detach().numpy(), atol=1e-6)
    assert np.allclose(read(subject, [(0, [])]).divergence, 0.0, atol=1e-9)
    assert (SPEC.pad_id, SPEC.bos_id) == (0, 1)


@pytest.mark.parametrize("kind", ["multi_head", "transformer"])
def test_a_page_has_what_is_written_without_each_link_word_and_head(kind: str) -> None:
    net = make_net(kind)
    subject = make_subject(net)
    sources, targets = [[1, 4, 5, 6, 7, 2], [1, *[4] * 20, 2], [1, 8, 9, 2]], [[4, 5], [4], [7, 8, 9]]
    first, long, third = cut_one_by_one(net, SPEC, sources, targets, lambda ids: " ".join(map(str, ids)))
    assert long is None
    assert first is not None
    assert third is not None

    def said(i: int, *row: Change) -> str:
        [words] = translate(subject, [(i, row)], extra=3)
        return " ".join(map(str, words))

    for i, found, steps in ((0, first, 2), (1, third, 3)):
        base = said(i)
        assert found["base"][: len(base)] == base[: len(found["base"])]
        for key, text in found["words"].items():
            assert text.startswith(said(i, Cut(column=int(key)))[: len(text)])
        assert all(int(key.split(",")[0]) < steps for key in found["links"])
        for name, change in change_everywhere(len(sources[2 * i])).items():
            text = said(i, change)
            assert found["everywhere"].get(name, found["base"])[: len(text)] == text[: len(found["base"])]
        for layer in range(2 * (kind == "transformer")):
            text = said(i, Cut(layer=layer))
            assert found["layers"].get(f"{layer}", found["base"])[: len(text)] == text[: len(found["base"])]
        assert found["base"] not in found["links"].values()
    changed_by_heads = {key for found in (first, third) for key in found["heads"]}
    assert changed_by_heads <= ({"0,0", "0,1"} if kind == "multi_head" else {"0,0", "0,1", "1,0", "1,1"})
