"""Text ↔ tokens: whitespace, spaCy, SentencePiece, all behind one small protocol.

A tokenizer is rebuilt from its `state()` alone, so that a run directory can translate without the
data it was trained on.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from probeta.data.detokenize import join_words
from probeta.data.vocabulary import BOS, BOS_ID, EOS, EOS_ID, PAD, PAD_ID, SPECIALS, UNK, UNK_ID, Vocabulary
from probeta.errors import ConfigError

KINDS = ("whitespace", "spacy", "sentencepiece")


class Tokenizer(Protocol):
    """What every tokenizer offers."""

    lowercase: bool

    def tokenize(self, text: str) -> list[str]:
        """Tokens of one line, lowercased where the tokenizer does so."""

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        """`tokenize` of many lines at once: what the tokenizer's own batching makes fast."""

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Running text, as a reader would write it."""

    def words(self, tokens: Sequence[str]) -> list[str]:
        """The words that token-level BLEU counts: the tokens, or what subword pieces spell."""

    def state(self) -> dict[str, Any]:
        """Everything `from_state` needs, JSON-able."""


class WhitespaceTokenizer:
    """Splits at white space: for text that is already tokenised."""

    def __init__(self, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def tokenize(self, text: str) -> list[str]:
        return (text.lower() if self.lowercase else text).split()

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        return [self.tokenize(text) for text in texts]

    def detokenize(self, tokens: Sequence[str]) -> str:
        return " ".join(tokens)

    def words(self, tokens: Sequence[str]) -> list[str]:
        return list(tokens)

    def state(self) -> dict[str, Any]:
        return {"kind": "whitespace", "lowercase": self.lowercase}


class SpacyTokenizer:
    """spaCy's rule tokenizer of a language (`en`, `de`, …) or of an installed trained pipeline (`en_core_web_sm`).

    Each token is lowercased by itself, after splitting, since the rules look at case. A trained
    pipeline adds nothing but its own rules here, so the blank language is the default.
    """

    def __init__(self, language: str, lowercase: bool = True, pipeline: str | None = None) -> None:
        self.language = language
        self.lowercase = lowercase
        self.pipeline = pipeline
        self._tokenizer = _spacy_rules(language, pipeline)

    def tokenize(self, text: str) -> list[str]:
        tokens = [token.text for token in self._tokenizer(text) if not token.is_space]
        return [token.lower() for token in tokens] if self.lowercase else tokens

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        return [self.tokenize(text) for text in texts]

    def detokenize(self, tokens: Sequence[str]) -> str:
        return join_words(tokens)

    def words(self, tokens: Sequence[str]) -> list[str]:
        return list(tokens)

    def state(self) -> dict[str, Any]:
        return {
            "kind": "spacy",
            "language": self.language,
            "lowercase": self.lowercase,
            "pipeline": self.pipeline,
        }


def _spacy_rules(language: str, pipeline: str | None) -> Any:
    # Imported here: spaCy takes about a second to load, which other data should not pay for.
    import spacy

    if pipeline and pipeline not in spacy.util.get_installed_models():
        # The name may be a directory's from elsewhere, and spaCy would load any package or folder of that name.
        raise ConfigError(
            f"spaCy has no pipeline {pipeline!r} here: null for the rules of the blank language, or first "
            f"python -m spacy download {pipeline} (one of your own as a package, made by python -m spacy package)"
        )
    try:
        if not language.isidentifier():
            raise ImportError(language)
        nlp = spacy.load(pipeline) if pipeline else spacy.blank(language)
    except OSError as error:
        raise ConfigError(f"spaCy cannot load the pipeline {pipeline!r}: {' '.join(str(error).split())}") from None
    except ImportError as error:
        from importlib.util import find_spec

        if language.isidentifier() and find_spec(f"spacy.lang.{language}") is not None:
            why = " ".join(str(error).split())
            raise ConfigError(f"spaCy needs another package for the language {language!r}: {why}") from None
        raise ConfigError(
            f"spaCy knows no language {language!r}: its rules are found by a code such as en or de"
        ) from None
    return nlp.tokenizer


class SentencePieceTokenizer:
    """Subwords by SentencePiece (Kudo & Richardson 2018, arXiv 1808.06226), BPE or unigram.

    The model's ids are the project's: `<pad>` 0, `<bos>` 1, `<eos>` 2, `<unk>` 3, then the pieces.
    """

    SPACE = "▁"

    def __init__(self, model: bytes, lowercase: bool = False) -> None:
        import sentencepiece

        self.model = model
        self.lowercase = lowercase
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    @classmethod
    def train(
        cls, sentences: Iterable[str], size: int, kind: str = "bpe", lowercase: bool = False, seed: int = 42
    ) -> SentencePieceTokenizer:
        """Learn at most `size` pieces from `sentences` (training text only), of at most half a million of them."""
        import sentencepiece

        if kind not in ("bpe", "unigram"):
            raise ConfigError.value("data.type", kind, "bpe or unigram")
        if size <= len(SPECIALS):
            raise ConfigError.value("data.size", size, f"a number of pieces above {len(SPECIALS)}")
        sentencepiece.set_random_generator_seed(seed)
        lines = (line.lower() for line in sentences) if lowercase else iter(sentences)
        out = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=lines,
                model_writer=out,
                vocab_size=size,
                model_type=kind,
                character_coverage=1.0,
                hard_vocab_limit=False,
                input_sentence_size=250_000,  # a sample, so that the memory of training does not grow with the text
                shuffle_input_sentence=True,
                num_threads=1,
                minloglevel=2,
                pad_id=PAD_ID,
                bos_id=BOS_ID,
                eos_id=EOS_ID,
                unk_id=UNK_ID,
                pad_piece=PAD,
                bos_piece=BOS,
                eos_piece=EOS,
                unk_piece=UNK,
            )
        except (RuntimeError, OSError) as error:
            reason = str(error).rsplit("] ", 1)[-1].strip() or "SentencePiece could not be trained"
            raise ConfigError.value("data.size", size, f"a number of pieces that this text has ({reason})") from None
        return cls(out.getvalue(), lowercase)

    def vocabulary(self) -> Vocabulary:
        return Vocabulary([self._processor.id_to_piece(i) for i in range(self._processor.get_piece_size())])

    def tokenize(self, text: str) -> list[str]:
        pieces: list[str] = self._processor.encode(text.lower() if self.lowercase else text, out_type=str)
        return pieces

    def tokenize_all(self, texts: Sequence[str]) -> list[list[str]]:
        lines = [text.lower() for text in texts] if self.lowercase else list(texts)
        pieces: list[list[str]] = self._processor.encode(lines, out_type=str, num_threads=1)
        return pieces

    def detokenize(self, tokens: Sequence[str]) -> str:
        return "".join(tokens).replace(self.SPACE, " ").strip()

    def words(self, tokens: Sequence[str]) -> list[str]:
        return self.detokenize(tokens).split()

    def state(self) -> dict[str, Any]:
        return {
            "kind": "sentencepiece",
            "lowercase": self.lowercase,
            "model": base64.b64encode(self.model).decode("ascii"),
        }


def from_state(state: dict[str, Any]) -> Tokenizer:
    """The tokenizer whose `state()` this was."""
    settings = dict(state)
    kind = settings.pop("kind")
    if kind == "whitespace":
        return WhitespaceTokenizer(**settings)
    if kind == "spacy":
        return SpacyTokenizer(**settings)
    if kind == "sentencepiece":
        return SentencePieceTokenizer(base64.b64decode(settings.pop("model")), **settings)
    raise ConfigError.unknown("tokenizer", kind, KINDS)
