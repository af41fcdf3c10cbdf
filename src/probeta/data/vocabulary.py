"""Token ↔ id, built on training text only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
SPECIALS = (PAD, BOS, EOS, UNK)
PAD_ID, BOS_ID, EOS_ID, UNK_ID = range(4)


class Vocabulary:
    """Tokens by id: the four specials first, then by falling frequency, ties alphabetically.

    A token seen fewer than `min_frequency` times, or beyond the `max_size` most frequent, reads
    as `<unk>`.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        if tuple(tokens[:4]) != SPECIALS:
            raise ValueError(f"a vocabulary begins with {SPECIALS}, not {tuple(tokens[:4])}")
        self.tokens = list(tokens)
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self.ids) != len(self.tokens):
            raise ValueError("a vocabulary holds each token once")
        # A text may hold the very word "<eos>": it must not end the sentence.
        self._words = {token: i for token, i in self.ids.items() if token not in SPECIALS}

    @classmethod
    def build(
        cls, sentences: Iterable[Sequence[str]], min_frequency: int = 1, max_size: int | None = None
    ) -> Vocabulary:
        counts = Counter(token for sentence in sentences for token in sentence)
        return cls.from_counts(counts, min_frequency, max_size)

    @classmethod
    def from_counts(cls, counts: Counter[str], min_frequency: int = 1, max_size: int | None = None) -> Vocabulary:
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        kept = [token for token, n in ordered if n >= min_frequency and token not in SPECIALS]
        return cls([*SPECIALS, *kept[:max_size]])

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Ids of `tokens`, without `<bos>` and `<eos>`."""
        return [self._words.get(token, UNK_ID) for token in tokens]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Tokens up to the first `<eos>`; `<bos>` and `<pad>` are left out."""
        tokens = []
        for i in ids:
            if i == EOS_ID:
                break
            if i not in (PAD_ID, BOS_ID):
                tokens.append(self.tokens[i])
        return tokens
