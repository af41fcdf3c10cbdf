"""The base of text datasets: padding, batches, references, and the codec's round trip through a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from probeta.data.codec import LanguageCodec, TextCodec
from probeta.data.text import TextData
from probeta.data.tokenizers import SentencePieceTokenizer, WhitespaceTokenizer
from probeta.errors import ConfigError, RunDirectoryError

TRAIN = (["a b c", "b", "c c c c d"], ["x y", "y z y", "z"])
TEST = (["a q"], ["x w"])


class Tiny(TextData):
    def prepare(self) -> None:
        words = WhitespaceTokenizer()
        codec = TextCodec(LanguageCodec.build(words, TRAIN[0], "aa"), LanguageCodec.build(words, TRAIN[1], "bb"))
        self.fill(codec, {"train": TRAIN, "val": TEST, "test": TEST})


@pytest.fixture
def data() -> Tiny:
    data = Tiny()
    data.setup()
    return data


def test_a_batch_is_every_pair_padded_between_bos_and_eos(data: Tiny) -> None:
    (batch,) = data.train_dataloader()
    assert batch.index.tolist() == [0, 1, 2]
    for row, sources, targets in zip(batch.index, batch.source, batch.target, strict=True):
        for ids, language, text in ((sources, data.source, TRAIN[0]), (targets, data.target, TRAIN[1])):
            expected = [1, *(language.vocabulary.ids[word] for word in text[row].split()), 2]
            assert ids.tolist() == expected + [0] * (len(ids) - len(expected))
    assert batch.source.shape == (3, 7)
    assert batch.source.dtype == torch.int64


def test_the_spec_is_what_the_vocabularies_hold(data: Tiny) -> None:
    assert (data.spec.source_vocab_size, data.spec.target_vocab_size) == (4 + 4, 4 + 3)
    assert (data.spec.pad_id, data.spec.bos_id, data.spec.eos_id, data.spec.unk_id) == (0, 1, 2, 3)


def test_unseen_words_read_as_unk_but_stay_in_the_reference(data: Tiny) -> None:
    (batch,) = data.test_dataloader()
    assert batch.target[0].tolist() == [1, data.target.vocabulary.ids["x"], 3, 2]
    assert data.decode(batch.target[0].tolist()) == "x <unk>"
    assert data.reference_words("test") == [["x", "w"]]
    assert data.sources("test")[0] == "a q"


def test_texts_encode_to_a_source_batch(data: Tiny) -> None:
    batch = data.encode(["c", "a b c"])
    assert batch.source.shape == (2, 5)
    assert batch.target.tolist() == [[1, 2], [1, 2]]


def test_a_saved_codec_translates_without_the_data(data: Tiny, tmp_path: Path) -> None:
    data.save(tmp_path)
    codec = TextData.load(tmp_path)
    assert codec.spec == data.spec
    assert codec.source.name == "aa"
    assert codec.source.encode("c d q") == data.source.encode("c d q")


def test_a_saved_codec_holds_its_sentencepiece_model(tmp_path: Path) -> None:
    lines = [f"the cat sees {n} dogs" for n in range(50)]
    pieces = SentencePieceTokenizer.train(lines, 40)
    side = LanguageCodec(pieces, pieces.vocabulary())
    TextCodec(side, side, shared=True).save(tmp_path)
    assert (tmp_path / "source.model").read_bytes() == pieces.model
    codec = TextCodec.load(tmp_path)
    assert codec.spec.shared_vocabulary
    assert codec.target.decode(codec.target.encode(lines[7])) == lines[7]
    (tmp_path / "target.model").unlink()
    with pytest.raises(RunDirectoryError, match=r"target\.model is missing"):
        TextCodec.load(tmp_path)


def test_a_folder_without_a_codec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"text\.json is missing"):
        TextCodec.load(tmp_path)
    (tmp_path / "text.json").write_text("[]")
    with pytest.raises(RunDirectoryError, match=r"text\.json is damaged: it holds a list"):
        TextCodec.load(tmp_path)


def test_batch_keys_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"batch_size=0"):
        Tiny(batch_size=0)
    with pytest.raises(ConfigError, match="exclude each other"):
        Tiny(batch_size=2, batch_tokens=100)


def test_the_hash_is_of_the_content(data: Tiny) -> None:
    other = Tiny(batch_size=2)
    other.setup()
    assert other.sha256() == data.sha256()
    other.pairs["test"] = other.pairs["val"] = other.pairs["train"]
    assert other.sha256() != data.sha256()


def test_a_sample_is_the_same_few_pairs_under_their_own_numbers(data: Tiny) -> None:
    first, again = (sorted(i for b in data.batches("train", sample=2) for i in b.index.tolist()) for _ in range(2))
    assert len(set(first)) == 2
    assert first == again
    for batch in data.batches("train", sample=2, batch_size=1):
        assert data.source.decode(batch.source[0].tolist()) == TRAIN[0][batch.index.item()]
    assert len(next(iter(data.batches("train", sample=9))).index) == 3
