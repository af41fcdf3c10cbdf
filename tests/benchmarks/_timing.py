"""Alternating medians: what every ratio is measured by."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any

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


def timed(work: Callable[[], Any]) -> Timed:
    """`work` by the seconds of the process's own (CPU)."""

    def side() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return side


class Apart:
    """A side that lives in a process of its own: how one side treats memory and threads is not the other's.

    `make(*arguments)` runs there and gives what is measured; calling this calls that.
    """

    def __init__(self, make: Callable[..., Callable[[], float]], *arguments: Any) -> None:
        self.pool = multiprocessing.get_context("spawn").Pool(1, _begin, (make, arguments))

    def __call__(self) -> float:
        return float(self.pool.apply(_measure))

    def close(self) -> None:
        self.pool.terminate()


_side: Callable[[], float]


def _begin(make: Callable[..., Callable[[], float]], arguments: tuple[Any, ...]) -> None:
    global _side
    _side = make(*arguments)


def _measure() -> float:
    return _side()


def rates(sides: dict[str, Apart], repeats: int = 3) -> dict[str, float]:
    """The median of what each side returns; ends their processes."""
    try:
        return alternate(dict(sides), repeats)
    finally:
        for side in sides.values():
            side.close()
