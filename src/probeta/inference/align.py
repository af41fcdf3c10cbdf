"""Word links of given translations, from what a translator attends to as it reads them (teacher-forced)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from probeta.data.codec import LanguageCodec
from probeta.data.pairs import EncodedPairs
from probeta.data.tokenizers import SentencePieceTokenizer
from probeta.data.vocabulary import BOS_ID, EOS_ID
from probeta.errors import ConfigError, DataError
from probeta.inference.translator import TextTranslator
from probeta.metrics.alignment import Links, Weights, hard_links, word_weights
from probeta.nn.transformer import Transformer

CHUNK = 2048
"""Pairs that are sorted by length together."""


@dataclass(frozen=True)
class Aligner:
    """Lines and their translations → links `(T, S)` between the words of each, as white space parts them.

    A target word is linked to the source word of its largest weight, or to none where that is on `<bos>` or `<eos>`.
    Weights are what the net calls its attention (a Transformer's: the last layer's, the mean of its heads), or those
    of one `layer` (from 0, the mean of its heads), or of a `layer`'s `head`. A word of several tokens is read with
    the sum of their weights, and reads with the mean of theirs.

    Raises `ConfigError` for a net without attention, and for a layer or head that is not there.
    """

    translator: TextTranslator
    layer: int | None = None
    head: int | None = None

    def __post_init__(self) -> None:
        if self.head is not None and self.layer is None:
            raise ConfigError(f"head={self.head} needs layer=N, whose head it is")
        net, probe = self.translator.net, np.array([BOS_ID, EOS_ID])[None]
        tokens = torch.from_numpy(probe).to(self.translator.device)
        shape = self._weights(tokens, tokens[:, :1], whole=True).shape
        for key, value, count in (("layer", self.layer, shape[1]), ("head", self.head, shape[2])):
            if value is not None and not (0 <= value < count):
                raise ConfigError.value(key, value, f"0 to {count - 1}, which this {type(net).__name__} has")

    def __call__(self, sources: Sequence[str], targets: Sequence[str], first: int = 1) -> Iterator[Links]:
        """The links of each pair, in order; `first` is the number of the first line, for messages."""
        sides = self.translator.codec.source, self.translator.codec.target
        tokens = [self._tokens(side, lines, first) for side, lines in zip(sides, (sources, targets), strict=True)]
        ids = [
            [[BOS_ID, *side.vocabulary.encode(line), EOS_ID] for line, _ in lines]
            for side, lines in zip(sides, tokens, strict=True)
        ]
        pairs = EncodedPairs.from_lists(*ids)
        order = sorted(range(len(sources)), key=lambda row: -len(ids[0][row]))
        found: dict[int, Links] = {}
        size = self.translator.batch_size
        for rows in (order[at : at + size] for at in range(0, len(order), size)):
            batch = pairs.batch(np.array(rows))
            source, inputs = (part.to(self.translator.device) for part in (batch.source, batch.target[:, :-1]))
            weights = self._weights(source, inputs).double().cpu().numpy()
            for row, one in zip(rows, weights, strict=True):
                (_, read), (_, reading) = tokens[0][row], tokens[1][row]
                shape = len(targets[row].split()), len(sources[row].split())
                joined = join_words(one, reading, read, *shape)
                found[row] = hard_links(word_weights(joined, *shape))
        return (found[row] for row in range(len(sources)))

    @torch.inference_mode()
    def _weights(self, source: torch.Tensor, inputs: torch.Tensor, whole: bool = False) -> torch.Tensor:
        """`(B, T, S)`; `(B, layers, heads, T, S)` of the `whole`."""
        net = self.translator.net
        if (whole or self.layer is not None) and isinstance(net, Transformer):
            maps = net.attention_maps(source, inputs).cross
            if whole:
                return maps
            layer = maps[:, self.layer]
            return layer.mean(1) if self.head is None else layer[:, self.head]
        weights = net.decode(net.encode(source), inputs, need_weights=True).attention
        if weights is None:
            raise ConfigError(f"run: this {type(net).__name__} has no attention, and so nothing to align with")
        return weights[:, None, None] if whole else weights

    def _tokens(
        self, side: LanguageCodec, lines: Sequence[str], first: int
    ) -> list[tuple[list[str], NDArray[np.int64]]]:
        """Tokens of each line and the words that they are of."""
        tokenizer, longest = side.tokenizer, self.translator.longest
        space = SentencePieceTokenizer.SPACE if isinstance(tokenizer, SentencePieceTokenizer) else None
        found = []
        for number, (line, tokens) in enumerate(zip(lines, tokenizer.tokenize_all(lines), strict=True), first):
            if len(tokens) > longest:
                raise DataError(f"line {number}: {len(tokens)} tokens, where this model reads {longest} at most")
            words = number_words(tokens, line, space)
            if words is None:
                raise DataError(f"line {number}: its tokens {' '.join(tokens)!r} are not its words cut in pieces")
            found.append((tokens, words))
        return found


def number_words(tokens: Sequence[str], line: str, space: str | None = None) -> NDArray[np.int64] | None:
    """For each token the word of `line` (parted by white space) that it is a piece of; `None` where that is not clear.

    `space` marks the piece that begins a word; without it, tokens are the words' characters one after the other.
    """
    words = line.split()
    if space is not None:
        starts = np.cumsum([token.startswith(space) for token in tokens], dtype=np.int64) - 1
        return starts if len(tokens) == 0 or starts[-1] + 1 == len(words) else None
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    begins = np.cumsum([0, *(len(token) for token in tokens)], dtype=np.int64)
    if begins[-1] != (ends[-1] if words else 0):
        return None
    numbers: NDArray[np.int64] = np.searchsorted(ends, begins[:-1], side="right")
    return numbers


def join_words(
    weights: Weights, reading: NDArray[np.int64], read: NDArray[np.int64], target_words: int, source_words: int
) -> Weights:
    """A decoder's `(≥t+1, ≥s+2)` over tokens → `(T + 1, S + 2)` over words: sums of columns, means of rows.

    `reading (t,)` and `read (s,)` are the words of target and source tokens; `<bos>` and `<eos>` stay columns.
    """
    columns = np.concatenate([[0], read + 1, [source_words + 1]])
    rows = np.concatenate([reading, [target_words]])
    by_source = np.zeros((len(rows), source_words + 2))
    np.add.at(by_source.T, columns, weights[: len(rows), : len(columns)].T)
    joined = np.zeros((target_words + 1, source_words + 2))
    np.add.at(joined, rows, by_source)
    counts = np.bincount(rows, minlength=target_words + 1)
    result: Weights = joined / np.maximum(counts, 1)[:, None]
    return result
