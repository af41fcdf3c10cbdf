"""The grammar as a dataset: the same as any parallel text, and gold alignments with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from probeta.data.codec import LanguageCodec, TextCodec
from probeta.data.grammar.corpus import GrammarCorpus, Pair
from probeta.data.grammar.draws import Ints
from probeta.data.grammar.generator import Grammar
from probeta.data.grammar.splits import check_split, split_corpus
from probeta.data.pairs import EncodedPairs, Sequences
from probeta.data.text import TextData
from probeta.data.tokenizers import SpacyTokenizer, Tokenizer
from probeta.data.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Vocabulary
from probeta.errors import check_whole


class GrammarData(TextData):
    """`n_samples` training pairs of a `Grammar`, and `n_val` and `n_test` others, drawn by `seed`.

    `split` is `iid`, `length` (test sentences are longer than `length_cut` words, the others are not) or
    `composition` (test sentences join a verb and a construction that training never joins); see
    `splits.split_corpus`. Vocabularies come from the training pairs. The other settings are those of
    `probeta.data.grammar.generator.Grammar`.

    Beside what every `TextData` has: `corpora[split]`, the pairs with their gold links (`gold`), and
    the reordering distance of each (`reordering`). Token `t` of a pair is at position `t + 1` of its
    encoded row, after `<bos>`.
    """

    def __init__(
        self,
        n_samples: int = 20_000,
        n_val: int = 1_000,
        n_test: int = 1_000,
        seed: int = 42,
        split: Literal["iid", "length", "composition"] = "iid",
        length_cut: int = 12,
        max_depth: int = 2,
        embedding: float = 0.35,
        extrapose: bool = True,
        second_person: bool = False,
        lowercase: bool = True,
        min_length: int = 1,
        max_length: int = 24,
        min_reordering: int = 0,
        max_reordering: int | None = None,
        batch_size: int | None = 64,
        batch_tokens: int | None = None,
        eval_batch_size: int = 250,
        bucket_width: int | None = 2,
    ) -> None:
        super().__init__(batch_size, batch_tokens, eval_batch_size, bucket_width)
        self.sizes = {
            "train": check_whole("data.n_samples", n_samples),
            "val": check_whole("data.n_val", n_val),
            "test": check_whole("data.n_test", n_test),
        }
        self.seed, self.split, self.length_cut = check_whole("data.seed", seed, 0), split, length_cut
        self.lowercase = lowercase
        self.grammar = Grammar(
            max_depth, embedding, extrapose, second_person, lowercase,
            min_length, max_length, min_reordering, max_reordering,
        )  # fmt: skip
        check_split(self.grammar, split, length_cut)
        self.corpora: dict[str, GrammarCorpus] = {}
        if split != "iid":
            what = f"are longer than {length_cut} words" if split == "length" else "join unseen pairs of words"
            self.note = f"test sentences {what}; training and validation sentences do not (data.split={split})"

    def prepare(self) -> None:
        self.corpora = split_corpus(self.grammar, self.split, self.seed, self.sizes, self.length_cut)
        train = self.corpora["train"]
        source = LanguageCodec(
            SpacyTokenizer("en", self.lowercase), _vocabulary(train.source, train.source_words), "en"
        )
        target = LanguageCodec(
            SpacyTokenizer("de", self.lowercase), _vocabulary(train.target, train.target_words), "de"
        )
        self.codec = TextCodec(source, target)
        if self.split == "composition":
            test = self.corpora["test"]
            lacking = set(_vocabulary(test.target, test.target_words).ids) - set(target.vocabulary.ids)
            if lacking:
                self.note = (
                    f"{self.note}; {len(lacking)} German words of the test set are not in training: more n_samples"
                )
        for split, corpus in self.corpora.items():
            self.pairs[split] = EncodedPairs(
                _encode(corpus.source, corpus.source_lengths, corpus.source_words, source.vocabulary),
                _encode(corpus.target, corpus.target_lengths, corpus.target_words, target.vocabulary),
            )
            self.texts[split] = (
                Sentences(corpus.source, corpus.source_lengths, corpus.source_words, source.tokenizer),
                Sentences(corpus.target, corpus.target_lengths, corpus.target_words, target.tokenizer),
            )

    def gold(self, split: str, row: int) -> Pair:
        """The words of a pair and its sure and possible links; `PairBatch.index` counts rows."""
        return self.corpora[split][row]

    def reordering(self, split: str) -> Ints:
        """`(N,)` the longest jump of each pair (`GrammarCorpus.reordering`)."""
        return self.corpora[split].reordering()

    def source_lengths(self, split: str) -> Ints:
        """`(N,)` source words of each pair, without `<bos>` and `<eos>`."""
        return self.corpora[split].source_lengths


class Sentences(Sequence[str]):
    """A side of a corpus as running text, joined when it is read."""

    def __init__(self, ids: Ints, lengths: Ints, words: tuple[str, ...], tokenizer: Tokenizer) -> None:
        self.ids, self.lengths, self.words, self.tokenizer = ids, lengths, words, tokenizer

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(len(self)))]
        ids = self.ids[row][: self.lengths[row]].tolist()
        return self.tokenizer.detokenize([self.words[i] for i in ids])


def _vocabulary(ids: Ints, words: tuple[str, ...]) -> Vocabulary:
    counts: NDArray[np.int64] = np.bincount(ids.ravel(), minlength=len(words))
    return Vocabulary.from_counts(Counter({words[i]: int(counts[i]) for i in np.flatnonzero(counts) if i}))


def _encode(ids: Ints, lengths: Ints, words: tuple[str, ...], vocabulary: Vocabulary) -> Sequences:
    """The vocabulary's ids, `<bos> … <eos>`, without a loop over sentences."""
    known = np.array([PAD_ID, *(vocabulary.ids.get(word, UNK_ID) for word in words[1:])], dtype=np.int32)
    framed = np.zeros((len(ids), ids.shape[1] + 2), dtype=np.int32)
    framed[:, 0] = BOS_ID
    framed[:, 1:-1] = known[ids]
    framed[np.arange(len(ids)), lengths + 1] = EOS_ID
    offsets = np.zeros(len(ids) + 1, dtype=np.int64)
    np.cumsum(lengths + 2, out=offsets[1:])
    inside = np.arange(framed.shape[1]) < (lengths + 2)[:, None]
    return Sequences(framed[inside], offsets)
