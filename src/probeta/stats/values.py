"""A variant's values of one quantity, by seed, with the runs that have none because they failed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Quantity:
    """What is compared, as far as a verdict has to know it."""

    name: str = ""
    up: bool | None = True
    """Whether more is better, which says at which end failed runs rank; None: neither, and they have no rank."""
    least: float = 0.0
    """The smallest mean difference that is worth a verdict."""
    relative: float = 0.0
    """The same as a share of the larger mean; the greater of the two counts."""


class Values(dict[Any, float]):
    """Replicate (a seed, or a pair of seeds) → value: a float, or a `Fraction` where counts are known exactly."""

    def __init__(
        self,
        values: Mapping[Any, float] | Iterable[Any] = (),
        failed: Iterable[Any] = (),
        quantity: Quantity | None = None,
        variant: Hashable = None,
        overlap: float = 0.0,
    ) -> None:
        super().__init__(values)
        self.overlap = overlap
        """Of folds, whose training sets overlap: test examples per training example. 0: values are independent."""
        self.failed = frozenset(failed)
        """Replicates whose run failed or diverged, and so has no value. One that has not run yet is in neither."""
        self.quantity = quantity or Quantity()
        self.variant = variant
        """Whose values they are: the same comparison is recognised by it wherever it stands on a page."""

    def derive(self, values: Mapping[Any, float], *others: Values) -> Values:
        """Numbers computed from these (and `others`): whatever failed has none, and neither end of them is worse."""
        return Values(values, self.failed.union(*(other.failed for other in others)), Quantity(up=None))


def as_values(values: Mapping[Any, float]) -> Values:
    return values if isinstance(values, Values) else Values(values)
