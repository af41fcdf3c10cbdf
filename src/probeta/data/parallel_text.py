"""Any two line-aligned files as a translation task."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from probeta.data import aligned_files, holdout
from probeta.data.corpus import CorpusSettings, Files, build_corpus, open_corpus
from probeta.data.text import TextData
from probeta.data.text_cache import build_once, cache_key, default_folder, make_own_folder, verify
from probeta.errors import ConfigError, DataError, check_whole, check_whole_or_null
from probeta.runs.memory import give_back_freed_memory

log = logging.getLogger(__name__)


class ParallelTextData(TextData):
    """Sentence pairs from `root/<stem>.<source>` and `root/<stem>.<target>`, plain or gzip.

    `train`, `val`, `test` are the stems, `source` and `target` the endings (and, for spaCy, the language
    codes). Where there are no files for `val` or `test`, a share `holdout` of the different source lines
    (at most 2,000) is split off training, chosen by `seed`; the run's notes say so.

    Tokens: `whitespace`, `spacy` or `sentencepiece` (`type=bpe|unigram`, learnt on training text);
    `joint` gives both sides one vocabulary, `size` bounds it (SentencePiece: 10,000 where null), and
    words seen fewer than `min_frequency` times in training read as unknown. `casing=lower` lowercases.

    Pairs with a blank line are dropped from every split, pairs with more than `max_length` tokens on a
    side from training only, so that scores stay comparable; `counts` tells how many. `limit` takes the
    first pairs of the training files only.

    The encoded corpus is kept under `cache` (null: `~/.cache/probeta/text`), keyed by the content of the
    files and the settings, and memory-mapped.

    Raises `DataError` with file and line for unequal line counts, invalid UTF-8 and an empty corpus.

    Args:
        root: folder of the files.
        tokens: `whitespace`, `spacy` or `sentencepiece`.
        source_pipeline, target_pipeline: an installed spaCy pipeline for `tokens=spacy`; null: the language's
            own rules.
    """

    located = ("root",)
    writes = ("cache",)

    def __init__(
        self,
        root: str,
        source: str,
        target: str,
        train: str = "train",
        val: str | None = "val",
        test: str | None = "test",
        limit: int | None = None,
        holdout: float = 0.05,
        seed: int = 42,
        tokens: Literal["whitespace", "spacy", "sentencepiece"] = "whitespace",
        type: Literal["bpe", "unigram"] = "bpe",
        joint: bool = False,
        size: int | None = None,
        casing: Literal["keep", "lower"] = "keep",
        max_length: int = 100,
        min_frequency: int = 1,
        source_pipeline: str | None = None,
        target_pipeline: str | None = None,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        eval_batch_size: int = 128,
        bucket_width: int | None = 2,
        cache: str | None = None,
    ) -> None:
        super().__init__(batch_size, batch_tokens, eval_batch_size, bucket_width)
        given = locals()
        for key, value, accepted in (
            ("tokens", tokens, ("whitespace", "spacy", "sentencepiece")),
            ("type", type, ("bpe", "unigram")),
            ("casing", casing, ("keep", "lower")),
        ):
            if value not in accepted:
                raise ConfigError.value(key, value, " or ".join(accepted))
        for key, least in (("limit", 1), ("size", 5)):
            check_whole_or_null(key, given[key], least)
        check_whole("max_length", max_length)
        check_whole("min_frequency", min_frequency)
        if not 0.0 < holdout < 0.5:
            raise ConfigError.value("holdout", holdout, "a share, 0 < share < 0.5")
        if source == target:
            raise ConfigError.value("target", target, "another file ending than data.source")
        # Absolute, so that a run can be evaluated from another folder.
        self.root = Path(root).expanduser().absolute()
        self.stems = {"train": train, "val": val, "test": test}
        self.settings = CorpusSettings(**{field.name: given[field.name] for field in fields(CorpusSettings)})
        self.cache = Path(cache).expanduser().absolute() if cache else None
        self.counts: dict[str, dict[str, int]] = {}
        self.data_sha256 = ""

    def files(self) -> Files:
        """The files of each split that has some; training must."""
        if not self.root.is_dir():
            raise DataError(f"data.root={self.root} is not a folder")
        present = {}
        for split, stem in self.stems.items():
            pair = (
                aligned_files.find_pair(self.root, stem, self.settings.source, self.settings.target) if stem else None
            )
            if pair:
                present[split] = pair
            elif split == "train" or stem not in (None, split):
                # A stem that was named must exist; only the default names may be missing.
                raise DataError(
                    f"data.{split}={stem}: there is no {self.root / str(stem)}.{self.settings.source} "
                    f"with {self.root / str(stem)}.{self.settings.target} (or .gz)"
                )
        return present

    def prepare(self) -> None:
        files = self.files()
        content = aligned_files.sha256(path for split in sorted(files) for path in files[split])
        key = cache_key(f"{content} {sorted(files)}", self.settings)
        self.data_sha256 = self._identify(content, files)

        def build(building: Path) -> None:
            build_corpus(building, files, self.settings)
            give_back_freed_memory()

        cache = self.cache or default_folder()
        if self.cache is None and (temporary := make_own_folder(cache)) is not None:
            # Where nobody named a cache, a home that cannot be written costs time, not the run.
            self._temporary, cache = temporary, Path(temporary.name)
        self.encoded = build_once(cache, key, build)
        corpus = open_corpus(self.encoded, self.settings)
        self.codec, self.pairs, self.counts = corpus.codec, corpus.pairs, corpus.counts
        self.texts = dict(corpus.texts)
        if missing := [split for split in ("val", "test") if split not in files]:
            sizes = ", ".join(f"{split} {self.counts[split]['pairs']:,} pairs" for split in missing)
            self.note = f"no files for {' and '.join(missing)}: split off training by data.seed ({sizes})"
        self._tell()

    def _tell(self) -> None:
        for split, count in self.counts.items():
            log.info(
                "%s: %s pairs; dropped: %s with a blank line, %s over-long", split,
                *(f"{count[key]:,}" for key in ("pairs", "blank", "too_long")),
            )  # fmt: skip
        log.info("vocabularies: %s source, %s target tokens", *(f"{len(v):,}" for v in self.codec.vocabularies()))

    def facts(self) -> dict[str, dict[str, Any]]:
        """For the run's record: pairs, tokens, unknown tokens and what was dropped, by split."""
        return {**super().facts(), "corpus": self.counts}

    def sha256(self) -> str:
        """The hash of the files' content."""
        return self.data_sha256

    def fingerprint(self) -> str:
        files = self.files()
        return self._identify(aligned_files.sha256(path for split in sorted(files) for path in files[split]), files)

    def verify(self) -> None:
        verify(self.encoded)

    def _identify(self, content: str, files: Files) -> str:
        if files.keys() == self.stems.keys():
            return content
        # Which lines are held out is part of what the data are.
        return hashlib.sha256(f"{content} holdout {holdout.VERSION}".encode()).hexdigest()
