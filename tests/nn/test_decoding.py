"""Searches against exhaustive enumeration and one sentence at a time."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
import torch
from torch import Tensor

from probeta.errors import ConfigError
from probeta.nn.attention import Additive
from probeta.nn.cpu.best_places import best_places
from probeta.nn.decoder import Decoder
from probeta.nn.decoding import beam_search, greedy, length_penalty, replace_unknown
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq
from probeta.nn.transformer import Transformer
from probeta.nn.translator import Translator

PAD, BOS, EOS = 0, 1, 2
SOURCE = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 2, 0, 0], [1, 4, 9, 2, 0], [1, 3, 3, 2, 0]])
search = partial(beam_search, bos_id=BOS, eos_id=EOS)
walk = partial(greedy, bos_id=BOS, eos_id=EOS)


def model(vocab: int = 6, attention: bool = True, seed: int = 0, scale: float = 4.0) -> Seq2Seq:
    torch.manual_seed(seed)
    net = Seq2Seq(
        10, vocab, PAD, 5, partial(Encoder, embedding_size=4), partial(Decoder, embedding_size=4),
        Additive if attention else None,
    )  # fmt: skip
    with torch.no_grad():
        # Sharper distributions, so that sentences end at different lengths.
        for p in net.parameters():
            p.mul_(scale)
        net.decoder.output.bias[EOS] += 0.5
    return net.eval()


def transformer(vocab: int = 6, seed: int = 0, scale: float = 2.0) -> Transformer:
    torch.manual_seed(seed)
    net = Transformer(
        10,
        vocab,
        PAD,
        hidden_size=6,
        encoder_layers=1,
        decoder_layers=2,
        heads=2,
        feed_forward=8,
        tie_embeddings="none",
    )
    with torch.no_grad():
        net.output.weight.mul_(scale)
    return net.eval()


NETS = {
    "without attention": partial(model, attention=False),
    "with attention": model,
    "transformer": transformer,
}
"""Each decoding with a state of its own: the Transformer's is a cache of keys and values."""


def log_prob(net: Translator, source: Tensor, tokens: list[int], ended: bool) -> float:
    prefix = torch.tensor([[BOS, *tokens]])
    log_probs = torch.log_softmax(net(source, prefix)[0], -1)
    nexts = [*tokens, EOS] if ended else tokens
    return float(sum(log_probs[t, w] for t, w in enumerate(nexts)))


def exhaustive(
    net: Translator, source: Tensor, vocab: int, limit: int, alpha: float, norm: str = "gnmt"
) -> list[tuple[float, list[int]]]:
    words = [w for w in range(vocab) if w not in (PAD, BOS, EOS)]
    found = []
    for n in range(limit + 1):
        for tokens in itertools.product(words, repeat=n):
            length = min(n + 1, limit)
            score = log_prob(net, source, list(tokens), n < limit) / length_penalty(length, alpha, norm)
            found.append((score, list(tokens)))
    return sorted(found, reverse=True)


@pytest.mark.parametrize(("alpha", "norm"), [(0.0, "gnmt"), (1.0, "gnmt"), (1.0, "length")])
@pytest.mark.parametrize("kind", NETS)
@torch.no_grad()
def test_a_wide_beam_finds_what_exhaustive_search_finds(kind: str, alpha: float, norm: str) -> None:
    net = NETS[kind](vocab=6)
    found = search(net, SOURCE, 3, beam_size=40, n_best=4, alpha=alpha, length_norm=norm)
    for b, hypotheses in enumerate(found):
        source = SOURCE[b : b + 1][:, SOURCE[b] != PAD]
        want = exhaustive(net, source, 6, 3, alpha, norm)[:4]
        assert [h.tokens for h in hypotheses] == [tokens for _, tokens in want]
        for h, (score, _) in zip(hypotheses, want, strict=True):
            assert h.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_beam_one_is_greedy(attention: bool, seed: int) -> None:
    net = model(11, attention, seed)
    one = [h[0] for h in search(net, SOURCE, 9, beam_size=1, alpha=0.0, need_weights=True)]
    for mine, theirs in zip(one, walk(net, SOURCE, 9, need_weights=True), strict=True):
        assert mine.tokens == theirs.tokens
        assert mine.score == pytest.approx(theirs.score, abs=1e-4)
        if attention:
            torch.testing.assert_close(mine.attention, theirs.attention)


@pytest.mark.parametrize("seed", range(5))
@torch.no_grad()
def test_greedy_in_a_batch_equals_a_plain_loop_over_single_sentences(seed: int) -> None:
    net = model(11, seed=seed)
    together = walk(net, SOURCE, 9, need_weights=True)
    for b, hypothesis in enumerate(together):
        source = SOURCE[b : b + 1][:, SOURCE[b] != PAD]
        tokens: list[int] = []
        for _ in range(9):
            logits = net(source, torch.tensor([[BOS, *tokens]]))[0, -1]
            logits[[PAD, BOS]] = -torch.inf
            if int(logits.argmax()) == EOS:
                break
            tokens.append(int(logits.argmax()))
        assert hypothesis.tokens == tokens
        weights = net.decode(net.encode(source), torch.tensor([[BOS, *tokens]]), need_weights=True).attention
        assert hypothesis.attention is not None
        torch.testing.assert_close(hypothesis.attention, weights[0, : len(tokens)])


@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("words", [5, 64, 1000, 1024])
def test_the_best_places_are_those_of_a_sort(count: int, words: int) -> None:
    x = torch.randn(9, words, generator=torch.Generator().manual_seed(words))
    x[:, :2] = -torch.inf
    count = min(count, words - 2)
    assert torch.equal(best_places(x, count), x.argsort(dim=1, descending=True)[:, :count])


def test_searches_that_share_prepared_weights_find_the_same() -> None:
    net = model(90, seed=4)
    with torch.inference_mode():
        one, three = net.prepare(), net.prepare(3)
    assert walk(net, SOURCE, 9, prepared=one) == walk(net, SOURCE, 9)
    assert search(net, SOURCE, 9, beam_size=3, prepared=three) == search(net, SOURCE, 9, beam_size=3)


def test_length_norms() -> None:
    assert length_penalty(7, 2.0) == pytest.approx(4.0)
    assert length_penalty(7, 2.0, "length") == pytest.approx(49.0)
    assert length_penalty(7, 0.0) == length_penalty(7, 0.0, "length") == 1.0


@pytest.mark.parametrize("kind", ["with attention", "transformer"])
def test_sentences_of_a_batch_do_not_see_each_other_in_beam_search(kind: str) -> None:
    net = NETS[kind](11, seed=3)
    together = search(net, SOURCE, 7, beam_size=3, n_best=3, need_weights=True)
    for b, hypotheses in enumerate(together):
        (alone,) = search(net, SOURCE[b : b + 1][:, SOURCE[b] != PAD], 7, beam_size=3, n_best=3, need_weights=True)
        for mine, theirs in zip(hypotheses, alone, strict=True):
            assert mine.tokens == theirs.tokens
            assert mine.score == pytest.approx(theirs.score, abs=1e-4)
            torch.testing.assert_close(mine.attention, theirs.attention)


def test_lengths_follow_the_source_where_asked() -> None:
    net = model(11, seed=1)
    with torch.no_grad():
        net.decoder.output.bias[EOS] = -1e4
    assert [len(h.tokens) for h in walk(net, SOURCE, 30, length_ratio=1.0)] == [15, 13, 14, 14]
    assert [len(h[0].tokens) for h in search(net, SOURCE, 14, length_ratio=1.0)] == [14, 13, 14, 14]


def test_finished_sentences_leave_the_batch() -> None:
    net = model(11, seed=2)
    sizes: list[int] = []
    step = net.step
    net.step = lambda token, state: (sizes.append(len(token)), step(token, state))[1]  # type: ignore[method-assign]
    found = walk(net, SOURCE, 12)
    needed = [min(len(h.tokens) + 1, 12) for h in found]
    assert sizes == [sum(n > t for n in needed) for t in range(max(needed))]


def test_senseless_settings_are_refused() -> None:
    net = model()
    for wrong in ({"beam_size": 0}, {"beam_size": 2, "n_best": 3}, {"alpha": -1.0}, {"length_norm": "wu"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            search(net, SOURCE, 3, **wrong)
    with pytest.raises(ConfigError, match="max_length=0"):
        walk(net, SOURCE, 0)


def test_unknown_words_are_copied_from_where_the_model_looked() -> None:
    weights = torch.tensor([[0.1, 0.8, 0.1, 0.0], [0.6, 0.1, 0.3, 0.0]])
    source = ["<bos>", "Ana", "reads", "<eos>"]
    assert replace_unknown(["<unk>", "<unk>"], weights, source) == ["Ana", "reads"]
    assert replace_unknown(["<unk>", "liest"], weights, source, lexicon={"Ana": "Anna"}) == ["Anna", "liest"]
    assert replace_unknown(["<unk>"], None, source) == ["<unk>"]
