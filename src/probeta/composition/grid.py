"""From a command's overrides to the jobs of a grid, in Hydra's own sweep syntax."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from probeta.errors import ConfigError


@dataclass(frozen=True)
class Grid:
    """What is held fixed, and for each axis (a key) the override lines along it."""

    fixed: tuple[str, ...]
    axes: dict[str, tuple[str, ...]]
    zipped: tuple[tuple[str, ...], ...] = ()
    """Groups of keys whose axes move together: the first values of all, the second values of all, …"""

    def points(self) -> list[tuple[str, ...]]:
        """The override lines of every point, the last axis fastest; axes that move together stand at the first's place.

        Raises `ConfigError` where axes that move together are of unequal length, or one of them is no axis.
        """
        together = {key: self._find_axes(group) for group in self.zipped for key in group}
        steps = {}
        for key in self.axes:
            group = together.get(key.lstrip("+"), (key,))
            steps[group] = list(zip(*(self.axes[axis] for axis in group), strict=True))
        return [self.fixed + tuple(itertools.chain(*point)) for point in itertools.product(*steps.values())]

    def _find_axes(self, group: tuple[str, ...]) -> tuple[str, ...]:
        own = {key.lstrip("+"): key for key in self.axes}
        for key in group:
            if key not in own:
                raise ConfigError(f"{write_group(group)} is not accepted: {key} is given no values, as in {key}=1,2,3")
        lengths = {key: len(self.axes[own[key]]) for key in group}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} has {n}" for key, n in lengths.items())
            raise ConfigError(f"{write_group(group)} is not accepted: axes that move together are equally long; {told}")
        return tuple(own[key] for key in group)

    def names(self) -> list[str]:
        """The axes, those that move together as one: what names a sweep."""
        together = {key: "+".join(sorted(group)) for group in self.zipped for key in group}
        return list(dict.fromkeys(together.get(key.lstrip("+"), key) for key in self.axes))


def expand(arguments: Sequence[str], loader: ConfigLoader | None = None) -> Grid:
    """Split override lines into fixed ones and axes (`a=1,2`, `a=range(1,4)`, `a=choice(…)`, `a=glob(*)`).

    Of two lines with one key the last counts, but of `zip=[a,b]`, each of which names axes that move together.
    Raises `ConfigError` for an axis without values and for continuous ones (`interval`), which only a search takes.
    """
    fixed: dict[str, str] = {}
    axes: dict[str, tuple[str, ...]] = {}
    zipped: list[tuple[str, ...]] = []
    parser = OverridesParser.create(config_loader=loader)
    for override in parser.parse_overrides(list(arguments)):
        key = override.get_key_element()
        if key.lstrip("+") == "zip":
            zipped += read_groups(
                "zip", None if override.is_sweep_override() else override.value(), override.input_line
            )
            continue
        fixed.pop(key, None)
        axes.pop(key, None)
        if override.is_sweep_override():
            axes[key] = _along(override, key)
        else:
            fixed[key] = str(override.input_line)
    return Grid(tuple(fixed.values()), axes, join_groups(zipped))


def read_groups(key: str, value: Any, line: str | None = None) -> list[tuple[str, ...]]:
    """The groups of axes in `[a,b]` or `[[a,b],[c,d]]`, the value of `key`; `ConfigError` for anything else."""
    groups = value if isinstance(value, list) and any(isinstance(item, list) for item in value) else [value]
    if value == [] or (value is None and line == f"{key}=null"):
        return []
    for group in groups:
        if not isinstance(group, list) or len(group) < 2 or not all(isinstance(axis, str) for axis in group):
            accepted = f"{key}=[optimizer.lr,model.width] names axes that move together, {key}=[[a,b],[c,d]] several"
            raise ConfigError(f"{line or f'{key}={value}'} is not accepted: {accepted}")
    return [tuple(axis.lstrip("+") for axis in group) for group in groups]


def join_groups(groups: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """`groups`, each once; `ConfigError` for an axis that is named twice."""
    kept = list(dict.fromkeys(groups))
    named = [axis for group in kept for axis in group]
    for axis in named:
        if named.count(axis) > 1:
            raise ConfigError(f"zip names {axis} twice: an axis moves with one group")
    return tuple(kept)


def write_group(group: Sequence[str]) -> str:
    """The override line of a group."""
    return f"zip=[{','.join(group)}]"


def _along(override: Override, key: str) -> tuple[str, ...]:
    if not override.is_discrete_sweep():
        accepted = "a grid takes values, range(…) or choice(…); interval(…) needs hydra/sweeper=optuna"
        raise ConfigError(f"{override.input_line} is not accepted: {accepted}")
    lines = tuple(f"{key}={value}" for value in override.sweep_string_iterator())
    if not lines:
        raise ConfigError(f"{override.input_line} is not accepted: it stands for no value at all")
    return lines
