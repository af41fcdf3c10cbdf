"""What a dataset knows and a model needs: the one door between `data` and `models`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PointsSpec:
    """Points in the plane or higher, one class each: `x (B, in_features)`, `y (B,)`."""

    in_features: int
    classes: int
    class_counts: tuple[int, ...]
    """Training examples of each class: what a balanced loss weighs by."""
    class_names: tuple[str, ...] = ()
    """What the classes are called; empty: by their numbers."""
    feature_names: tuple[str, ...] = ()
    """What the features are called; empty: by their numbers."""


@dataclass(frozen=True)
class SequenceSpec:
    """Real-valued sequences, one class each: `x (B, T, in_features)`, `y (B,)`."""

    in_features: int
    classes: int
    length: int


@dataclass(frozen=True)
class TextSpec:
    """Sentence pairs as token ids: `source (B, S)`, `target (B, T)`, both `<bos> … <eos>`."""

    source_vocab_size: int
    target_vocab_size: int
    pad_id: int
    bos_id: int
    eos_id: int
    unk_id: int
    shared_vocabulary: bool = False
    """Source and target ids mean the same tokens, so their embeddings may be tied."""


DataSpec = PointsSpec | SequenceSpec | TextSpec
