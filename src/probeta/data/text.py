"""The base of every text dataset: sentence pairs in, batches and references out."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from probeta.data.batch import PairBatch
from probeta.data.buckets import PairBatches, check_batch_keys
from probeta.data.codec import LanguageCodec, TextCodec
from probeta.data.datamodule import DataModule
from probeta.data.pairs import EncodedPairs
from probeta.data.spec import TextSpec
from probeta.errors import check_whole, check_whole_or_null
from probeta.runs.artifacts import Artifacts


class TextData(DataModule):
    """A subclass fills `codec`, `pairs` and `texts` in `prepare()`; all else is here.

    - `codec`: tokenizer and vocabulary of both sides (`TextCodec`), saved into the run directory;
    - `pairs[split]`: the encoded sentences (`EncodedPairs`);
    - `texts[split]`: `(sources, references)`, lines of text in the same order, in the data's case.

    `batch_size=None` with `batch_tokens=None` is the full batch. Evaluation takes `eval_batch_size`
    pairs at a time, sorted by length. `bucket_width=None` batches at random instead of by length.
    `shuffle_seed` is the run's seed (see `open`): what the data are must not depend on it.
    """

    codec: TextCodec

    def __init__(
        self,
        batch_size: int | None = None,
        batch_tokens: int | None = None,
        eval_batch_size: int = 128,
        bucket_width: int | None = 2,
    ) -> None:
        super().__init__()
        check_batch_keys(batch_size, batch_tokens)
        self.batch_size = batch_size
        self.batch_tokens = batch_tokens
        self.eval_batch_size = check_whole("eval_batch_size", eval_batch_size)
        self.bucket_width = check_whole_or_null("bucket_width", bucket_width, meaning="for random batches")
        self.note: str | None = None
        """Something about the data that every reader of the results must know."""
        self.pairs: dict[str, EncodedPairs] = {}
        self.texts: dict[str, tuple[Sequence[str], Sequence[str]]] = {}

    @abstractmethod
    def prepare(self) -> None:
        """Fill `codec`, `pairs` and `texts`. Called once, by `setup`."""

    def setup(self, stage: str | None = None) -> None:
        if not self.pairs:
            self.prepare()
            self.train = self.batches("train", shuffle_seed=self.shuffle_seed)

    def fill(self, codec: TextCodec, texts: dict[str, tuple[Sequence[str], Sequence[str]]]) -> None:
        """Encode `texts` with `codec`: all that a small dataset's `prepare` has left to do."""
        self.codec = codec
        self.texts = texts
        self.pairs = {
            split: EncodedPairs.from_lists(codec.source.encode_all(sources), codec.target.encode_all(targets))
            for split, (sources, targets) in texts.items()
        }

    # --- what models and commands read ---------------------------------------------------------------

    @property
    def spec(self) -> TextSpec:
        return self.codec.spec

    @property
    def source(self) -> LanguageCodec:
        return self.codec.source

    @property
    def target(self) -> LanguageCodec:
        return self.codec.target

    def sources(self, split: str) -> Sequence[str]:
        """The source lines of `split`; `PairBatch.index` counts them."""
        return self.texts[split][0]

    def references(self, split: str) -> Sequence[str]:
        """The target lines of `split`, in the case that the data use."""
        return self.texts[split][1]

    def reference_words(self, split: str, rows: Iterable[int] | None = None) -> list[list[str]]:
        """The words of the references of `split` (or of some rows of it), as token-level BLEU counts them."""
        texts = self.references(split)
        return [self.target.words(texts[row]) for row in (range(len(texts)) if rows is None else rows)]

    def encode(self, texts: Sequence[str]) -> PairBatch:
        """Source lines as one padded batch; its targets are empty (`<bos> <eos>`)."""
        return self.codec.batch(texts)

    def decode(self, ids: Iterable[int]) -> str:
        """Target ids as running text."""
        return self.target.decode(ids)

    # --- batches -------------------------------------------------------------------------------------

    def batches(
        self,
        split: str,
        *,
        shuffle_seed: int | None = None,
        batch_size: int | None = None,
        sample: int | None = None,
    ) -> PairBatches:
        """`split` as batches: with a `shuffle_seed` shuffled and of the training size, else sorted and of `batch_size`.

        `sample` takes that many pairs, always the same ones, where the split has more.
        """
        if shuffle_seed is None:
            count, rows = len(self.pairs[split]), None
            if sample is not None and sample < count:
                rows = np.sort(np.random.default_rng(0).permutation(count)[:sample])
            return PairBatches(self.pairs[split], batch_size=batch_size or self.eval_batch_size, width=1, rows=rows)
        return PairBatches(
            self.pairs[split],
            batch_size=self.batch_size,
            batch_tokens=self.batch_tokens,
            shuffle_seed=shuffle_seed,
            width=self.bucket_width,
        )

    def train_dataloader(self) -> PairBatches:
        return self.train

    def val_dataloader(self) -> PairBatches:
        return self.batches("val")

    def test_dataloader(self) -> PairBatches:
        return self.batches("test")

    # --- the run directory ---------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write all that translating needs into `text/` of `folder`."""
        self.codec.save(Artifacts(folder).text)

    def facts(self) -> dict[str, dict[str, Any]]:
        """For the run's record: the pairs of each split."""
        return {"examples": {split: len(pairs) for split, pairs in self.pairs.items()}}

    def sha256(self) -> str:
        """A hash of the encoded splits and of what their ids mean: equal data, equal hash."""
        digest = hashlib.sha256(json.dumps(self.codec.vocabularies()).encode())
        for split in sorted(self.pairs):
            for rows in (self.pairs[split].source, self.pairs[split].target):
                digest.update(np.ascontiguousarray(rows.offsets, np.int64).tobytes())
                digest.update(np.ascontiguousarray(rows.ids, np.int32).tobytes())
        return digest.hexdigest()

    @classmethod
    def load(cls, folder: Path) -> TextCodec | None:
        """What `save` wrote."""
        text = Artifacts(folder).text
        return TextCodec.load(text) if text.is_dir() else None
