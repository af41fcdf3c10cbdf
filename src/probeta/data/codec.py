"""Text ↔ ids for both sides of a translation, and their place in a run directory."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from probeta.data.batch import PairBatch
from probeta.data.pairs import EncodedPairs
from probeta.data.spec import TextSpec
from probeta.data.tokenizers import SentencePieceTokenizer, Tokenizer, from_state
from probeta.data.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Vocabulary
from probeta.errors import RunDirectoryError, UserError
from probeta.runs.artifacts import TEXT
from probeta.runs.atomic import write_atomic
from probeta.runs.reading import Damaged, read_json


@dataclass(frozen=True)
class LanguageCodec:
    """One side: its tokenizer and its vocabulary. `name` is a language code where one is known."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    name: str = ""

    @classmethod
    def build(
        cls,
        tokenizer: Tokenizer,
        lines: Sequence[str],
        name: str = "",
        min_frequency: int = 1,
        max_size: int | None = None,
    ) -> LanguageCodec:
        """The vocabulary of the training `lines` under `tokenizer`."""
        return cls(tokenizer, Vocabulary.build(tokenizer.tokenize_all(lines), min_frequency, max_size), name)

    def encode(self, text: str) -> list[int]:
        """`<bos> … <eos>` ids of one line."""
        return [BOS_ID, *self.vocabulary.encode(self.tokenizer.tokenize(text)), EOS_ID]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        encode = self.vocabulary.encode
        return [[BOS_ID, *encode(tokens), EOS_ID] for tokens in self.tokenizer.tokenize_all(texts)]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Tokens up to the first `<eos>`, without `<bos>` and `<pad>`."""
        return self.vocabulary.decode(ids)

    def decode(self, ids: Iterable[int]) -> str:
        """Running text of `ids`."""
        return self.tokenizer.detokenize(self.tokens(ids))

    def words(self, text: str) -> list[str]:
        """The words of a line of text as token-level BLEU counts them (no word becomes `<unk>`)."""
        return self.tokenizer.words(self.tokenizer.tokenize(text))

    def decode_words(self, ids: Iterable[int]) -> list[str]:
        """The words that `ids` spell, as token-level BLEU counts them."""
        return self.tokenizer.words(self.tokens(ids))


@dataclass(frozen=True)
class TextCodec:
    """Both sides of a translation: all that turns text into ids and back."""

    source: LanguageCodec
    target: LanguageCodec
    shared: bool = False
    """Both sides have one vocabulary: equal ids are equal tokens."""

    @property
    def spec(self) -> TextSpec:
        return TextSpec(
            source_vocab_size=len(self.source.vocabulary),
            target_vocab_size=len(self.target.vocabulary),
            pad_id=PAD_ID,
            bos_id=BOS_ID,
            eos_id=EOS_ID,
            unk_id=UNK_ID,
            shared_vocabulary=self.shared,
        )

    def batch(self, texts: Sequence[str]) -> PairBatch:
        """Source lines as one padded batch; its targets are empty (`<bos> <eos>`)."""
        return self.tokens_batch(self.source.tokenizer.tokenize_all(texts))

    def tokens_batch(self, lines: Sequence[Sequence[str]]) -> PairBatch:
        """`batch` of lines that are tokens already."""
        rows = [[BOS_ID, *self.source.vocabulary.encode(tokens), EOS_ID] for tokens in lines]
        return EncodedPairs.from_lists(rows, [[BOS_ID, EOS_ID]] * len(rows)).batch(np.arange(len(rows)))

    def vocabularies(self) -> list[list[str]]:
        """The tokens of both sides, by id."""
        return [self.source.vocabulary.tokens, self.target.vocabulary.tokens]

    def save(self, folder: Path) -> None:
        """Write `text.json` and, for SentencePiece, `source.model` and `target.model` into `folder`."""
        content: dict[str, object] = {"format": 1, "shared": self.shared}
        for side, language in (("source", self.source), ("target", self.target)):
            state = language.tokenizer.state()
            if "model" in state:
                # A file of its own, so that SentencePiece's tools can read it.
                write_atomic(folder / f"{side}.model", base64.b64decode(state.pop("model")))
            content[side] = {"name": language.name, "tokenizer": state, "vocabulary": language.vocabulary.tokens}
        write_atomic(folder / TEXT, json.dumps(content, ensure_ascii=False, indent=0))

    @classmethod
    def load(cls, folder: Path) -> TextCodec:
        """Read what `save` wrote; a missing or foreign file is refused by name."""
        path = folder / TEXT
        if (content := read_json(path, dict)) is None:
            raise RunDirectoryError(f"{path} is missing: is this the run of a translator?")
        try:
            source, target = (cls._language(folder, side, content[side]) for side in ("source", "target"))
        except UserError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(path, f"it does not hold tokenizers and vocabularies ({error})") from None
        return cls(source, target, shared=bool(content.get("shared", False)))

    @staticmethod
    def _language(folder: Path, side: str, content: dict[str, object]) -> LanguageCodec:
        state = dict(content["tokenizer"])  # type: ignore[call-overload]
        if state["kind"] == "sentencepiece":
            state["model"] = base64.b64encode(_read_pieces(folder / f"{side}.model")).decode("ascii")
        vocabulary: list[str] = content["vocabulary"]  # type: ignore[assignment]
        return LanguageCodec(from_state(state), Vocabulary(vocabulary), str(content.get("name", "")))


def _read_pieces(path: Path) -> bytes:
    """A SentencePiece model that its library can read."""
    try:
        model = path.read_bytes()
        if not model.strip(b"\0"):
            raise Damaged(path, "it is empty")
        SentencePieceTokenizer(model)
    except FileNotFoundError:
        raise RunDirectoryError(f"{path} is missing: a translator's SentencePiece model") from None
    except (OSError, RuntimeError) as error:
        raise Damaged(path, f"it is no SentencePiece model ({' '.join(str(error).split())[:160]})") from None
    return model
