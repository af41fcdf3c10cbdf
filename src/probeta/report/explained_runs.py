"""The runs of one variant that explained their words, and how much of what can be explained each explanation does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probeta.stats.ratio import Ratio, ratio_of_means, ratio_p

HALF = 0.5
"""Share of what can be explained from which on weights are said to explain."""

Arrays = NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """The runs of one variant: their arrays (`interventions.survey.Survey`), the same sentences in each."""

    name: str
    runs: Sequence[Mapping[str, Any]]

    def stack(self, name: str) -> Arrays | None:
        """`(runs, sentences)` without the sentences that have no such word; `None` where there are none."""
        if not all(name in run for run in self.runs):
            return None
        values = np.array([run[name] for run in self.runs], dtype=float)
        values = values if values.ndim == 2 else values[:, None]
        values = values[:, np.isfinite(values).all(0)]
        return values if values.size else None

    def contrast(self, explanation: str, kind: str = "all") -> tuple[Arrays, Arrays] | None:
        """What an explanation finds beyond a random order, and what leaving words out finds: `(runs, sentences)`;
        `None` without either, or where leaving words out finds nothing."""
        names = [f"area/{name}/{kind}" for name in (explanation, "random", "left_out")]
        stacks = [self.stack(name) for name in names]
        if any(s is None or s.shape != stacks[0].shape for s in stacks):  # type: ignore[union-attr]
            return None
        own, random, most = stacks
        found = random - own, random - most  # type: ignore[operator]
        return found if found[1].mean() > 0 else None

    def share(self, explanation: str, kind: str = "all") -> Ratio | None:
        found = self.contrast(explanation, kind)
        return None if found is None else ratio_of_means(*found)

    def p(self) -> float | None:
        """Of "the weight explains half of what can be explained"."""
        found = self.contrast("weight")
        return None if found is None else ratio_p(*found, HALF)
