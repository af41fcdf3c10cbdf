"""From aligned files to encoded splits on disk: one streaming pass per step, memory independent of the corpus.

A corpus folder holds the kept lines (`<role>.<side>.txt`), the encoded splits (`<split>.<side>.ids`,
`.offsets.npy`), the lines each split takes (`<split>.rows.npy`), the codec (`text/`) and `corpus.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from probeta.data.aligned_files import read_pairs
from probeta.data.codec import LanguageCodec, TextCodec
from probeta.data.holdout import split_off
from probeta.data.line_store import Lines, LineWriter, write_array
from probeta.data.numbering import Numbering
from probeta.data.pairs import EncodedPairs
from probeta.data.sequence_writer import SequenceWriter, count_ids, open_sequences, translate_ids
from probeta.data.tokenizers import SentencePieceTokenizer, SpacyTokenizer, Tokenizer, WhitespaceTokenizer
from probeta.data.vocabulary import BOS_ID, EOS_ID, UNK_ID, Vocabulary
from probeta.errors import DataError
from probeta.runs.atomic import write_atomic

SIDES = ("source", "target")
CHUNK = 8192

Files = Mapping[str, tuple[Path, Path]]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class CorpusSettings:
    """Everything but the files that decides what the encoded corpus is."""

    source: str
    target: str
    tokens: str
    type: str
    joint: bool
    size: int | None
    casing: str
    max_length: int
    min_frequency: int
    limit: int | None
    holdout: float
    seed: int
    source_pipeline: str | None
    target_pipeline: str | None

    @property
    def lowercase(self) -> bool:
        return self.casing == "lower"


@dataclass(frozen=True)
class Corpus:
    """An opened corpus folder: memory-mapped, nothing is read before it is asked for."""

    codec: TextCodec
    pairs: dict[str, EncodedPairs]
    texts: dict[str, tuple[Lines, Lines]]
    counts: dict[str, dict[str, int]]


def build_corpus(folder: Path, files: Files, settings: CorpusSettings) -> None:
    """Encode `files` (`train`, and `val` and `test` where there are files for them) into `folder`."""
    blank = {}
    for role, paths in files.items():
        blank[role] = _ingest(folder, role, paths, settings.limit if role == "train" else None)
    splits = _split(folder, files, settings)
    tokenizers = _tokenizers(_lines(folder, splits["train"]), settings)
    if isinstance(tokenizers[0], SentencePieceTokenizer):
        languages = [
            LanguageCodec(tokenizer, tokenizer.vocabulary(), name)  # type: ignore[attr-defined]
            for tokenizer, name in zip(tokenizers, (settings.source, settings.target), strict=True)
        ]
        too_long = _encode(folder, "train", splits["train"], languages, settings)
    else:
        languages, too_long = _encode_words(folder, splits["train"], tokenizers, settings)
    TextCodec(languages[0], languages[1], settings.joint).save(folder / "text")
    for split in ("val", "test"):
        _encode(folder, split, splits[split], languages, settings)
    counts = {
        split: {"blank": blank[role] if split == role else 0, "too_long": too_long if split == "train" else 0}
        | _statistics(folder, split, languages)
        for split, (role, _) in splits.items()
    }
    if not counts["train"]["pairs"]:
        raise DataError(
            f"{files['train'][0]}: all {too_long} pairs are longer than data.max_length={settings.max_length} tokens"
        )
    described = {"roles": {split: role for split, (role, _) in splits.items()}, "counts": counts}
    write_atomic(folder / "corpus.json", json.dumps(described))


def open_corpus(folder: Path, settings: CorpusSettings) -> Corpus:
    """What `build_corpus` wrote."""
    described = json.loads((folder / "corpus.json").read_text(encoding="utf-8"))
    codec = TextCodec.load(folder / "text")
    pairs: dict[str, EncodedPairs] = {}
    texts: dict[str, tuple[Lines, Lines]] = {}
    for split, role in described["roles"].items():
        rows = np.load(folder / f"{split}.rows.npy", mmap_mode="r")
        texts[split] = _lines(folder, (role, rows), settings.lowercase)
        pairs[split] = EncodedPairs(
            *(
                open_sequences(folder, f"{split}.{side}", _dtype(len(language.vocabulary)))
                for side, language in zip(SIDES, (codec.source, codec.target), strict=True)
            )
        )
    return Corpus(codec, pairs, texts, described["counts"])


def _dtype(vocabulary_size: int) -> str:
    return "uint16" if vocabulary_size <= 1 << 16 else "int32"


def _lines(folder: Path, split: tuple[str, Rows], lowercase: bool = False) -> tuple[Lines, Lines]:
    """Source and target lines of a split. Tokenizers get them as written: their rules look at case."""
    role, rows = split
    source, target = (Lines(folder / f"{role}.{side}.txt", rows, lowercase) for side in SIDES)
    return source, target


def _ingest(folder: Path, role: str, paths: tuple[Path, Path], limit: int | None) -> int:
    """Copy the pairs without a blank line into the folder; how many had one."""
    blank = 0
    with LineWriter(folder / f"{role}.source.txt") as source, LineWriter(folder / f"{role}.target.txt") as target:
        for a, b in read_pairs(*paths, limit=limit):
            if a and b:
                source.write(a)
                target.write(b)
            else:
                blank += 1
        kept = len(source)
    if not kept:
        raise DataError(f"{paths[0]} and {paths[1]} hold no sentence pairs ({blank} blank lines)")
    return blank


def _split(folder: Path, files: Files, settings: CorpusSettings) -> dict[str, tuple[str, Rows]]:
    """The file role and the lines of each split; a split without files is taken out of training."""
    splits = {role: (role, np.arange(len(Lines(folder / f"{role}.source.txt")))) for role in files}
    missing = [split for split in ("val", "test") if split not in files]
    if missing:
        lines = Lines(folder / "train.source.txt")
        try:
            parts = split_off(lines, len(missing), settings.holdout, settings.seed)
        except ValueError as error:
            raise DataError(
                f"{files['train'][0]}: {error} to split off {' and '.join(missing)}: give files for them"
            ) from None
        splits |= {split: ("train", rows) for split, rows in zip(("train", *missing), parts, strict=True)}
    return splits


def _tokenizers(train: tuple[Lines, Lines], settings: CorpusSettings) -> list[Tokenizer]:
    if settings.tokens == "whitespace":
        return [WhitespaceTokenizer(settings.lowercase)] * 2
    if settings.tokens == "spacy":
        return [
            SpacyTokenizer(settings.source, settings.lowercase, settings.source_pipeline),
            SpacyTokenizer(settings.target, settings.lowercase, settings.target_pipeline),
        ]

    def learn(lines: Iterator[str]) -> SentencePieceTokenizer:
        return SentencePieceTokenizer.train(
            lines, settings.size or 10_000, settings.type, settings.lowercase, settings.seed
        )

    if settings.joint:
        return [learn(chain(*train))] * 2
    return [learn(iter(lines)) for lines in train]


def _chunks(folder: Path, split: tuple[str, Rows]) -> Iterator[tuple[Rows, list[list[str]]]]:
    """The row numbers and the lines of both sides, a chunk at a time."""
    sides = _lines(folder, split)
    for start in range(0, len(split[1]), CHUNK):
        part = slice(start, start + CHUNK)
        yield split[1][part], [lines[part] for lines in sides]


def _write(
    folder: Path,
    name: str,
    split: tuple[str, Rows],
    tokenizers: Sequence[Tokenizer],
    numbers: Sequence[Vocabulary | Numbering],
    dtypes: Sequence[str],
    limit: int | None,
) -> int:
    """Encode a split, without the pairs of which a side has more than `limit` tokens. Returns how many these are."""
    rows_kept: list[Rows] = [np.empty(0, np.int64)]
    with (
        SequenceWriter(folder, f"{name}.source", dtypes[0]) as source,
        SequenceWriter(folder, f"{name}.target", dtypes[1]) as target,
    ):
        for rows, lines in _chunks(folder, split):
            tokens = [tokenizer.tokenize_all(texts) for tokenizer, texts in zip(tokenizers, lines, strict=True)]
            kept = [i for i in range(len(rows)) if limit is None or max(len(side[i]) for side in tokens) <= limit]
            for writer, own, side in zip((source, target), numbers, tokens, strict=True):
                writer.write([[BOS_ID, *own.encode(side[i]), EOS_ID] for i in kept])
            rows_kept.append(rows[kept])
    rows = np.concatenate(rows_kept)
    write_array(folder / f"{name}.rows.npy", rows)
    return len(split[1]) - len(rows)


def _encode(
    folder: Path, name: str, split: tuple[str, Rows], languages: list[LanguageCodec], settings: CorpusSettings
) -> int:
    """Encode a split with finished vocabularies; only training drops long pairs. Returns how many it dropped."""
    tokenizers, vocabularies = zip(*((language.tokenizer, language.vocabulary) for language in languages), strict=True)
    dtypes = [_dtype(len(vocabulary)) for vocabulary in vocabularies]
    return _write(
        folder, name, split, tokenizers, vocabularies, dtypes, settings.max_length if name == "train" else None
    )


def _encode_words(
    folder: Path, split: tuple[str, Rows], tokenizers: list[Tokenizer], settings: CorpusSettings
) -> tuple[list[LanguageCodec], int]:
    """Tokenise once: write running numbers while counting, then replace them by the vocabulary's ids."""
    numbering = [Numbering()] * 2 if settings.joint else [Numbering(), Numbering()]
    dropped = _write(folder, "train", split, tokenizers, numbering, ("int32", "int32"), settings.max_length)
    counts = [count_ids(folder, f"train.{side}", "int32", len(numbering[i])) for i, side in enumerate(SIDES)]
    if settings.joint:
        counts = [counts[0] + counts[1]] * 2
    languages = []
    for side, numbers, count, tokenizer, name in zip(
        SIDES, numbering, counts, tokenizers, (settings.source, settings.target), strict=True
    ):
        vocabulary = numbers.vocabulary(count, settings.min_frequency, settings.size)
        translate_ids(folder, f"train.{side}", "int32", numbers.table(vocabulary, _dtype(len(vocabulary))))
        languages.append(LanguageCodec(tokenizer, vocabulary, name))
    return languages, dropped


def _statistics(folder: Path, split: str, languages: list[LanguageCodec]) -> dict[str, int]:
    """Pairs, tokens and unknown tokens of an encoded split (`<bos>` and `<eos>` not counted)."""
    numbers = {}
    for side, language in zip(SIDES, languages, strict=True):
        size = len(language.vocabulary)
        counts = count_ids(folder, f"{split}.{side}", _dtype(size), size)
        numbers["pairs"] = int(counts[BOS_ID])
        numbers[f"{side}_tokens"] = int(counts.sum() - counts[BOS_ID] - counts[EOS_ID])
        numbers[f"{side}_unknown"] = int(counts[UNK_ID])
    return numbers
