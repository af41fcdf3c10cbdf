from __future__ import annotations

import numpy as np
import pytest
import torch

from probeta.data.grammar import lexicon as lex
from probeta.data.grammar.counterfactuals import CHANGES, counterfactuals
from probeta.data.grammar.data import GrammarData
from probeta.data.grammar.generator import Grammar
from probeta.data.grammar.kinds import link_kinds
from probeta.interventions.counterfactual import FARTHEST, encode, follow
from probeta.interventions.passes import Case, Read, Subject, take
from probeta.metrics.alignment import agreement
from probeta.nn.transformer import Transformer

GRAMMAR = Grammar(max_depth=0, max_length=8)


@pytest.mark.parametrize("change", CHANGES)
def test_pairs_differ_in_one_english_word_and_in_what_must_change(change: str) -> None:
    pairs = counterfactuals(GRAMMAR, change, 200, 3)
    assert len(pairs) == 200
    assert pairs == counterfactuals(GRAMMAR, change, 200, 3)
    for pair in pairs:
        before, after = pair.before, pair.after
        assert before.alignment == after.alignment
        differ = [s for s, (a, b) in enumerate(zip(before.source, after.source, strict=True)) if a != b]
        assert differ == [pair.position]
        assert pair.must == {t for t, (a, b) in enumerate(zip(before.target, after.target, strict=True)) if a != b}
        assert len(before.source) <= 8


def test_a_noun_of_another_gender_takes_its_article_along() -> None:
    gender = {form.lower(): noun.gender for noun in lex.NOUNS for form in (noun.english, noun.english_plural)}
    articles = {lex.DER: "der", lex.DIE: "die", lex.DAS: "das"}
    seen = 0
    for pair in counterfactuals(GRAMMAR, "gender", 400, 0):
        words = [side.source[pair.position] for side in (pair.before, pair.after)]
        assert gender[words[0]] != gender[words[1]]
        subject = pair.position == 1 and pair.before.source[0] == "the" and not words[0].endswith(("s", "en"))
        if subject and words[0] in {noun.english for noun in lex.NOUNS}:
            assert [side.target[0] for side in (pair.before, pair.after)] == [articles[gender[word]] for word in words]
            assert {0, 1} <= pair.must
            seen += 1
    assert seen > 10


def test_kinds_are_those_of_the_words_that_are_linked() -> None:
    corpus = GRAMMAR.sample(400, 0)
    counted = dict.fromkeys(("noun", "verb", "article", "particle", "reordered"), 0)
    nouns = {n.german.lower() for n in lex.NOUNS} - {"junge"}  # that is *young*, too
    for i in range(400):
        pair = corpus[i]
        for word, kinds in zip(pair.target, link_kinds(pair), strict=True):
            for kind in kinds:
                counted[kind] += 1
            if word in nouns:
                assert "noun" in kinds
            assert len(kinds & {"noun", "verb", "article", "particle"}) <= 1
            assert (word in ("nicht", ".", "heute")) <= (kinds <= {"reordered"})
    assert min(counted.values()) > 10


@pytest.mark.parametrize(("looks", "accuracy"), [("answer", 1.0), ("start", 0.5), ("anywhere", 0.5)])
def test_looking_at_the_changed_word_where_it_decides_is_right_and_elsewhere_chance(
    monkeypatch: pytest.MonkeyPatch, looks: str, accuracy: float
) -> None:
    data = GrammarData(n_samples=200, n_val=2, n_test=2, max_depth=0, max_length=8)
    data.setup()
    pairs = counterfactuals(data.grammar, "gender", 150, 0)
    rng = np.random.default_rng(0)

    def look(side: Subject, cases: list[Case]) -> Read:
        target, source = side.batch.target[:, 1:].numpy(), side.batch.source.numpy()
        weights = np.zeros((*target.shape, source.shape[1]))
        for i, pair in enumerate(pairs):
            for t in range(len(pair.before.target)):
                at = {
                    "answer": pair.position + 1 if t in pair.must else 0,
                    "start": 0,
                    "anywhere": rng.integers(1, len(pair.before.source) + 1),
                }[looks]
                weights[i, t, at] = 1.0
        nothing = np.zeros(target.shape)
        return Read(nothing, nothing, target, weights)

    monkeypatch.setattr("probeta.interventions.counterfactual.read", look)
    net = Transformer(data.spec.source_vocab_size, data.spec.target_vocab_size, 0, hidden_size=8, encoder_layers=1,
                      decoder_layers=1, heads=2, feed_forward=8)  # fmt: skip
    rows = follow(take(net, data.spec, data, "test", 2), data, pairs)
    assert (rows[:, 3] == 1).all()
    assert agreement(rows)[2] == pytest.approx(accuracy, abs=0.03 if looks == "anywhere" else 1e-12)


def test_rows_say_what_a_net_writes_and_looks_at_in_passes_of_one_sentence() -> None:
    data = GrammarData(n_samples=200, n_val=2, n_test=2, max_depth=0, max_length=8)
    data.setup()
    spec = data.spec
    torch.manual_seed(0)
    net = Transformer(spec.source_vocab_size, spec.target_vocab_size, 0, hidden_size=16, encoder_layers=1,
                      decoder_layers=1, heads=2, feed_forward=16, dropout=0.0)  # fmt: skip
    pairs = counterfactuals(data.grammar, "tense", 20, 0)
    subject = take(net, spec, data, "test", 2)
    source, target, _ = encode(subject, data, [pair.before for pair in pairs]).batch
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(30):  # so that some words are right
        optimizer.zero_grad()
        logits = net(source, target[:, :-1])
        torch.nn.functional.cross_entropy(logits.mT, target[:, 1:], ignore_index=0).backward()
        optimizer.step()
    net.eval()
    rows = follow(subject, data, pairs)
    expected = []
    for i, pair in enumerate(pairs):
        right, looked = [], []
        for side in (pair.before, pair.after):
            ids = [[1, *lang.vocabulary.encode(list(words)), 2]
                   for lang, words in ((data.source, side.source), (data.target, side.target))]  # fmt: skip
            inputs = torch.tensor(ids[1][:-1])[None]
            decoded = net.decode(net.encode(torch.tensor(ids[0])[None]), inputs, need_weights=True)
            assert decoded.attention is not None
            right.append(net.project(decoded.features)[0].argmax(-1).tolist())
            looked.append(decoded.attention[0].argmax(-1).tolist())
            right[-1] = [word == wanted for word, wanted in zip(right[-1], ids[1][1:], strict=True)]
        for t in range(len(pair.before.target)):
            both, attended = right[0][t] and right[1][t], looked[0][t] == pair.position + 1
            away = min((abs(s - pair.position) for s, word in pair.before.alignment if word == t), default=np.nan)
            expected.append((i, away if not away > FARTHEST else FARTHEST, t in pair.must, both, attended))
    np.testing.assert_array_equal(rows, np.array(expected, dtype=float))
    assert (rows[:, 2:].mean(0) > 0).all()
    assert (rows[:, 2:].mean(0) < 1).all()
