from collections.abc import Mapping

import numpy as np

from probeta.data.division import Division
from probeta.data.labelled import LabelledData, Split, class_counts, split_examples
from probeta.data.spec import PointsSpec


class Rings(LabelledData):
    """Concentric rings in the plane, a class each.

    Args:
        n_samples: points of all three splits.
        classes: rings.
        noise: standard deviation of the radius.
    """

    def __init__(
        self, n_samples: int = 600, classes: int = 3, noise: float = 0.05, seed: int = 42, batch_size: int | None = None
    ) -> None:
        super().__init__(Division(seed), batch_size)
        self.n_samples, self.classes, self.noise = n_samples, classes, noise

    def draw(self) -> Mapping[str, Split]:
        generator, y = np.random.default_rng(self.seed), np.arange(self.n_samples) % self.classes
        radius = (y + 1) / self.classes + generator.normal(scale=self.noise, size=len(y))
        angle = generator.uniform(0, 2 * np.pi, len(y))
        x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return split_examples(x.astype(np.float32), y, self.division)

    @property
    def spec(self) -> PointsSpec:
        return PointsSpec(2, self.classes, class_counts(self.splits["train"], self.classes))
