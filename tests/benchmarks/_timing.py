"""Alternating medians: what every ratio is measured by."""

from __future__ import annotations

import statistics
from collections.abc import Callable

Timed = Callable[[], float]
"""Does the work once and returns the seconds that count."""


def alternate(sides: dict[str, Timed], repeats: int = 5, warmup: int = 1) -> dict[str, float]:
    """The median of each side, measured in turn so that the machine's moods meet all alike."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(warmup + repeats):
        for name, side in sides.items():
            seconds = side()
            if repeat >= warmup:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}
