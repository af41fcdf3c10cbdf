"""A study that crosses seeds, for any experiment: what a run does not draw needs no runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from probeta.errors import UserError, check_whole
from probeta.runs.identity import LARGEST_SEED, parse
from probeta.runs.row import REPLICATES
from probeta.sweeps.question import Wanted


def leave_out_absent(wanted: Sequence[Wanted], compose: Callable[[Sequence[str]], DictConfig]) -> list[Wanted]:
    """`wanted` without the axes of seeds that change nothing; runs that are then the same are one.

    Only where one of `seeds` is an axis. `compose` makes the configuration of override lines; lines that it refuses
    stay as they are, for whoever checks the jobs. Raises `ConfigError` for a value left out that is no seed.
    """
    lines = dict.fromkeys(line for want in wanted for line in want.overrides)
    keys = [_key(line) for line in lines]
    axes = [key for key in REPLICATES if keys.count(key) > 1]
    if not any(key.startswith("seeds.") for key in axes):
        return list(wanted)
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    kept: dict[tuple[str, ...], Wanted] = {}
    for want in wanted:
        own = tuple(line for line in want.overrides if _key(line) not in axes)
        if own not in known:
            known[own] = tuple(key for key in _find_absent(own, compose) if key in axes)
        left = tuple(line for line in want.overrides if _key(line) not in known[own])
        kept.setdefault(left, Wanted(left, want.variant, want.group, known[own]))
    for line in lines.keys() - {line for overrides in kept for line in overrides}:
        check_whole(_key(line), parse([line])[0].value(), 0, LARGEST_SEED)
    return list(kept.values())


def _find_absent(lines: Sequence[str], compose: Callable[[Sequence[str]], DictConfig]) -> tuple[str, ...]:
    from probeta.config.build import find_absent_seeds

    try:
        return find_absent_seeds(compose(lines))
    except (UserError, HydraException, OmegaConfBaseException):
        return ()


def _key(line: str) -> str:
    return line.partition("=")[0].lstrip("+")
