"""Text through a translator: in order, like one line at a time, unknown words copied."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from threading import get_ident

import pytest
import torch

from probeta.data.codec import LanguageCodec, TextCodec
from probeta.data.tokenizers import WhitespaceTokenizer
from probeta.errors import ConfigError
from probeta.inference.translator import TextTranslator, map_in_threads
from probeta.models.decoding import Decoding
from probeta.nn import cpu
from probeta.nn.attention import Additive
from probeta.nn.cpu.stepper import Stepper
from probeta.nn.decoder import Decoder
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq

SOURCES = ["a b c", "", "d", "c c b a d", "b d", "  ", "a", "d c b a a b"]
TARGETS = ["x y z", "z w", "w"]


@pytest.fixture(scope="module")
def translator() -> TextTranslator:
    words = WhitespaceTokenizer()
    codec = TextCodec(LanguageCodec.build(words, SOURCES), LanguageCodec.build(words, TARGETS))
    torch.manual_seed(21)  # weights that say many different things
    net = Seq2Seq(
        len(codec.source.vocabulary),
        len(codec.target.vocabulary),
        0,
        7,
        encoder=partial(Encoder, embedding_size=5),
        decoder=partial(Decoder, embedding_size=5),
        attention=Additive,
    ).eval()
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, -3.0, 3.0)
    return TextTranslator(net, codec, Decoding(max_length=9), batch_size=3)


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_batch_is_translated_like_one_line_at_a_time_and_in_order(translator: TextTranslator, beam_size: int) -> None:
    translator = replace(translator, decoding=replace(translator.decoding, beam_size=beam_size))
    together = translator(SOURCES)
    assert together == [translator([text])[0] for text in SOURCES]
    assert [bool(text) for text in together] == [bool(text.strip()) for text in SOURCES]
    assert len(set(together)) > 3


def test_without_fast_paths_no_thread_takes_them(translator: TextTranslator, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = translator(SOURCES)
    monkeypatch.setattr(Stepper, "__init__", lambda *_: pytest.fail("prepared weights were made"))
    with cpu.set_enabled(False):
        assert replace(translator)(SOURCES) == fast


def test_n_best_translations_come_with_falling_scores(translator: TextTranslator) -> None:
    translator = replace(translator, decoding=replace(translator.decoding, beam_size=4))
    [best] = translator.translate(["a b c"], n_best=3)
    assert len({t.text for t in best}) == 3
    assert [t.score for t in best] == sorted((t.score for t in best), reverse=True)


def test_attention_has_a_row_a_word_and_a_column_a_source_token(translator: TextTranslator) -> None:
    [[found]] = translator.translate(["a b c"], need_weights=True)
    assert found.source == ["<bos>", "a", "b", "c", "<eos>"]
    assert found.attention is not None
    assert [len(row) for row in found.attention] == [5] * len(found.tokens)
    assert all(sum(row) == pytest.approx(1.0, abs=1e-5) for row in found.attention)


def test_unknown_words_are_copied_from_where_the_attention_lies(translator: TextTranslator) -> None:
    plain = translator.translate(SOURCES, need_weights=True)
    unknown = [(i, found[0]) for i, found in enumerate(plain) if found and "<unk>" in found[0].tokens]
    assert unknown, "the random weights must give an unknown word for this test to say something"
    copied = replace(translator, copy_unknown=True).translate(SOURCES)
    through = replace(translator, copy_unknown=True, lexicon={w: w.upper() for w in "abcd"}).translate(SOURCES)
    for i, found in unknown:
        assert found.attention is not None
        at = found.tokens.index("<unk>")
        weights = dict(zip(range(1, len(found.source) - 1), found.attention[at][1:-1], strict=True))
        expected = found.source[max(weights, key=lambda j: weights[j])]
        assert copied[i][0].tokens[at] == expected
        assert through[i][0].tokens[at] == expected.upper()


def test_an_endless_line_is_cut_and_told(translator: TextTranslator, caplog: pytest.LogCaptureFixture) -> None:
    assert translator(["a b " * 600, "d"]) == translator(["a b " * 500, "d"])
    assert "1 of 2 lines are longer than 1000 tokens" in caplog.text


@pytest.mark.parametrize("beam_size", [1, 3])
def test_bfloat16_products_give_the_same_translations_but_for_rounding(
    translator: TextTranslator, beam_size: int
) -> None:
    translator = replace(translator, decoding=replace(translator.decoding, beam_size=beam_size, max_length=3))
    texts = [text for text in SOURCES if text.strip()]
    full, rounded = ([best for [best] in replace(translator, precision=p).translate(texts)] for p in ("32", "bf16"))
    same = [(a.score, b.score) for a, b in zip(full, rounded, strict=True) if a.tokens == b.tokens]
    assert len(same) > len(texts) / 2
    assert all(b == pytest.approx(a, rel=0.05, abs=0.05) for a, b in same)
    assert any(a != b for a, b in same)


def test_batches_side_by_side_keep_their_order_and_torchs_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = list(map_in_threads(lambda part: (part, torch.get_num_threads(), get_ident()), range(40)))
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert [part for part, _, _ in seen] == list(range(40))
    assert {threads for _, threads, _ in seen} == {1}
    assert get_ident() not in {thread for _, _, thread in seen}
    assert after == 2


def test_wrong_settings_are_refused(translator: TextTranslator) -> None:
    with pytest.raises(ConfigError, match=r"precision=16 .*32 or bf16"):
        replace(translator, precision="16")
    with pytest.raises(ConfigError, match="batch_size=0"):
        replace(translator, batch_size=0)
