"""Tokenizers: what they split, and that their state alone rebuilds them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy

from probeta.data.detokenize import join_words
from probeta.data.tokenizers import SentencePieceTokenizer, SpacyTokenizer, Tokenizer, WhitespaceTokenizer, from_state
from probeta.data.vocabulary import SPECIALS
from probeta.errors import ConfigError

LINES = [f"the {a} dog sees {n} cats , and the cat runs ." for a in ("big", "small", "old") for n in range(40)]


@pytest.fixture(scope="module")
def pieces() -> SentencePieceTokenizer:
    return SentencePieceTokenizer.train(LINES, size=60)


def test_whitespace_splits_and_lowercases_only_when_asked() -> None:
    assert WhitespaceTokenizer().tokenize(" Guten\tMorgen \n") == ["Guten", "Morgen"]
    assert WhitespaceTokenizer(lowercase=True).tokenize("Guten Morgen") == ["guten", "morgen"]


def test_spacy_splits_by_the_rules_of_the_language() -> None:
    assert SpacyTokenizer("en").tokenize("I can't  go.") == ["i", "ca", "n't", "go", "."]
    assert SpacyTokenizer("de", lowercase=False).tokenize("Das ist z.B. gut!") == [
        "Das",
        "ist",
        "z.B.",
        "gut",
        "!",
    ]


def test_spacy_refuses_an_unknown_language_and_pipeline() -> None:
    with pytest.raises(ConfigError, match="no language 'qq'"):
        SpacyTokenizer("qq")
    with pytest.raises(ConfigError, match="no pipeline 'no_such_thing'"):
        SpacyTokenizer("en", pipeline="no_such_thing")


def test_spacy_loads_no_folder_and_no_other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gadget.py").write_text("raise SystemExit('it ran')")
    spacy.blank("en").to_disk(tmp_path / "mine")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("gadget", "mine", "./mine", str(tmp_path / "mine"), "pandas"):
        with pytest.raises(ConfigError, match="no pipeline"):
            SpacyTokenizer("en", pipeline=name)
    for code in ("..gadget", "en/../../gadget", "en.tokenizer_exceptions", ""):
        with pytest.raises(ConfigError, match="no language"):
            SpacyTokenizer(code)


def test_sentencepiece_has_the_projects_special_ids(pieces: SentencePieceTokenizer) -> None:
    vocabulary = pieces.vocabulary()
    assert tuple(vocabulary.tokens[:4]) == SPECIALS
    assert len(vocabulary) <= 60


def test_sentencepiece_pieces_spell_the_text(pieces: SentencePieceTokenizer) -> None:
    for line in LINES[::17]:
        tokens = pieces.tokenize(line)
        assert pieces.detokenize(tokens) == line
        assert pieces.words(tokens) == line.split()
    assert pieces.tokenize_all(LINES[:5]) == [pieces.tokenize(line) for line in LINES[:5]]


def test_sentencepiece_training_is_reproducible() -> None:
    assert SentencePieceTokenizer.train(LINES, 50).model == SentencePieceTokenizer.train(LINES, 50).model


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_sentencepiece_ids_are_the_vocabularys(kind: str) -> None:
    import sentencepiece

    tokenizer = SentencePieceTokenizer.train(LINES, size=60, kind=kind)
    twin = sentencepiece.SentencePieceProcessor(model_proto=tokenizer.model)
    for line in (LINES[3], "the dog sees a zebra"):
        assert tokenizer.vocabulary().encode(tokenizer.tokenize(line)) == twin.encode(line)


def test_sentencepiece_refuses_a_wrong_type_and_an_impossible_size() -> None:
    with pytest.raises(ConfigError, match=r"data\.type=wordpiece .*bpe or unigram"):
        SentencePieceTokenizer.train(LINES, 60, kind="wordpiece")
    with pytest.raises(ConfigError, match=r"data\.size=5 "):
        SentencePieceTokenizer.train(LINES, 5)


def test_state_survives_json_and_rebuilds_the_tokenizer(pieces: SentencePieceTokenizer) -> None:
    tokenizers: list[Tokenizer] = [
        WhitespaceTokenizer(True),
        SpacyTokenizer("de"),
        SpacyTokenizer("en", lowercase=False),
        pieces,
    ]
    for tokenizer in tokenizers:
        twin = from_state(json.loads(json.dumps(tokenizer.state())))
        assert type(twin) is type(tokenizer)
        line = "The big Dog's cats , and 12 old cats."
        assert twin.tokenize(line) == tokenizer.tokenize(line)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'spacy'"):
        from_state({"kind": "spacey"})


@pytest.mark.parametrize(
    "text",
    [
        "She isn't here, is she?",
        'He says "yes" (twice): "no"!',
        "Das ist „gut“, nicht wahr?",
    ],
)
def test_joined_spacy_words_read_as_the_text(text: str) -> None:
    language = "de" if "„" in text else "en"
    assert join_words(SpacyTokenizer(language, lowercase=False).tokenize(text)) == text
