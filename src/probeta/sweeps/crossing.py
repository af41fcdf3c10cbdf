"""A study that crosses seeds, for any experiment: what a run does not draw needs no runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omegaconf import DictConfig

from probeta.runs.table import REPLICATES
from probeta.sweeps.question import Wanted


def leave_out_absent(wanted: Sequence[Wanted], compose: Callable[[Sequence[str]], DictConfig]) -> list[Wanted]:
    """`wanted` without the overrides of seeds that change nothing; runs that are then the same are one.

    Only of a study that varies one of `seeds`: `compose` makes the configuration of override lines.
    """
    if not any(line.startswith("seeds.") for want in wanted for line in want.overrides):
        return list(wanted)
    from probeta.config.build import find_absent_seeds

    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    kept: dict[tuple[str, ...], Wanted] = {}
    for want in wanted:
        own = tuple(line for line in want.overrides if _key(line) not in REPLICATES)
        if own not in known:
            known[own] = find_absent_seeds(compose(own))
        left = tuple(line for line in want.overrides if _key(line) not in known[own])
        absent = tuple(key for key in known[own] if key in map(_key, want.overrides))
        kept.setdefault(left, Wanted(left, want.variant, want.group, absent))
    return list(kept.values())


def _key(line: str) -> str:
    return line.partition("=")[0].lstrip("+")
