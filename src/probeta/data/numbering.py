"""Words numbered while a text streams by, so that it is tokenised once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probeta.data.vocabulary import SPECIALS, Vocabulary


class Numbering(defaultdict[Any, int]):
    """Numbers words in the order they are first seen, after the special ids."""

    def __init__(self) -> None:
        super().__init__()
        self.default_factory = self.__len__
        # Numbers as keys: no word of any text can be one of them.
        self.update({i: i for i in range(len(SPECIALS))})

    def encode(self, words: Iterable[str]) -> list[int]:
        """The number of each of `words`, as `Vocabulary.encode` gives ids."""
        return [self[word] for word in words]

    def vocabulary(self, counts: NDArray[np.int64], min_frequency: int = 1, max_size: int | None = None) -> Vocabulary:
        """The vocabulary of words of which number `i` was seen `counts[i]` times."""
        words = {word: int(counts[i]) for word, i in self.items() if i >= len(SPECIALS) and counts[i]}
        return Vocabulary.from_counts(Counter(words), min_frequency, max_size)

    def table(self, vocabulary: Vocabulary, dtype: str) -> NDArray[np.integer]:
        """The id in `vocabulary` of each number."""
        ids = list(range(len(SPECIALS))) + vocabulary.encode(list(self)[len(SPECIALS) :])
        return np.array(ids, dtype)
