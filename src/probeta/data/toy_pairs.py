"""Fourteen English–German pairs: twelve to learn by heart, two to fail on."""

from __future__ import annotations

from probeta.data.codec import LanguageCodec, TextCodec
from probeta.data.text import TextData
from probeta.data.tokenizers import SpacyTokenizer

PAIRS = (
    ("i am a student", "ich bin ein student"),
    ("i am a teacher", "ich bin ein lehrer"),
    ("he is a student", "er ist ein student"),
    ("she is a teacher", "sie ist eine lehrerin"),
    ("i like apples", "ich mag äpfel"),
    ("i like books", "ich mag bücher"),
    ("we like apples", "wir mögen äpfel"),
    ("they like books", "sie mögen bücher"),
    ("good morning", "guten morgen"),
    ("good night", "gute nacht"),
    ("thank you", "danke"),
    ("you are welcome", "bitte"),
    ("how are you", "wie geht es dir"),
    ("i am fine", "mir geht es gut"),
)
TRAINING = 12


class ToyPairsData(TextData):
    """The first twelve pairs train; the last two, whose German words are all unknown, validate and test.

    Tokens are spaCy's: the rules of the blank pipelines `en` and `de` by default, or a trained pipeline by name.
    Vocabularies come from the training pairs alone.

    Args:
        source_pipeline, target_pipeline: spaCy's tokenizer of each language: a code of two letters, or the name
            of an installed pipeline.
        lowercase: whether case is dropped.
    """

    def __init__(
        self,
        source_pipeline: str = "en",
        target_pipeline: str = "de",
        lowercase: bool = True,
        batch_size: int | None = 4,
    ) -> None:
        super().__init__(batch_size=batch_size)
        self.pipelines = (source_pipeline, target_pipeline)
        self.lowercase = lowercase
        self.note = "the 2 unseen pairs serve as validation and as test, and their German words are all unknown"

    def prepare(self) -> None:
        seen, unseen = (([a for a, _ in rows], [b for _, b in rows]) for rows in (PAIRS[:TRAINING], PAIRS[TRAINING:]))
        source, target = (
            LanguageCodec.build(spacy_tokenizer(pipeline, code, self.lowercase), lines, code)
            for pipeline, code, lines in zip(self.pipelines, ("en", "de"), seen, strict=True)
        )
        self.fill(TextCodec(source, target), {"train": seen, "val": unseen, "test": unseen})


def spacy_tokenizer(pipeline: str, language: str, lowercase: bool) -> SpacyTokenizer:
    """A language code is a blank pipeline; anything longer names a trained one."""
    blank = len(pipeline) == 2
    return SpacyTokenizer(pipeline if blank else language, lowercase, None if blank else pipeline)
