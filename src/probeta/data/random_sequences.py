"""Noise with random classes: nothing to learn but by heart, which is what a gradient probe needs."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from probeta.data.labelled import LabelledData, Split
from probeta.data.spec import SequenceSpec
from probeta.errors import check_whole


class RandomSequencesData(LabelledData):
    """`n_samples` standard normal sequences `(length, in_features)` with uniform classes.

    The defaults are the notebook's single batch: 16 sequences of 8 features and 8 classes. Validation
    and test are further draws, on which no model can be better than chance.

    Args:
        n_samples: sequences in each split.
        length: steps of a sequence.
        in_features: numbers in each step.
        classes: from 2.
    """

    def __init__(
        self,
        n_samples: int = 16,
        length: int = 50,
        in_features: int = 8,
        classes: int = 8,
        seed: int = 42,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(seed, batch_size)
        for key, value in (("n_samples", n_samples), ("length", length), ("in_features", in_features)):
            check_whole(key, value)
        check_whole("classes", classes, 2)
        self.n_samples, self.length, self.in_features, self.classes = n_samples, length, in_features, classes

    def draw(self) -> Mapping[str, Split]:
        generator = torch.Generator().manual_seed(self.seed)
        return {
            name: Split(
                torch.randn(self.n_samples, self.length, self.in_features, generator=generator),
                torch.randint(self.classes, (self.n_samples,), generator=generator),
            )
            for name in ("train", "val", "test")
        }

    def foresee(self) -> SequenceSpec:
        return SequenceSpec(self.in_features, self.classes, self.length)

    @property
    def spec(self) -> SequenceSpec:
        return self.foresee()
