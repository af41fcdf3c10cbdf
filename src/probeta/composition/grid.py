"""From a command's overrides to the jobs of a grid, in Hydra's own sweep syntax."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from probeta.errors import ConfigError


@dataclass(frozen=True)
class Grid:
    """What is held fixed, and for each axis (a key) the override lines along it."""

    fixed: tuple[str, ...]
    axes: dict[str, tuple[str, ...]]

    def points(self) -> list[tuple[str, ...]]:
        """The override lines of every point, the last axis fastest."""
        return [self.fixed + point for point in itertools.product(*self.axes.values())]


def expand(arguments: Sequence[str], loader: ConfigLoader | None = None) -> Grid:
    """Split override lines into fixed ones and axes (`a=1,2`, `a=range(1,4)`, `a=choice(…)`, `a=glob(*)`).

    Of two lines with one key the last counts. Raises `ConfigError` for an axis without values and for
    continuous ones (`interval`), which only a search takes.
    """
    fixed: dict[str, str] = {}
    axes: dict[str, tuple[str, ...]] = {}
    parser = OverridesParser.create(config_loader=loader)
    for override in parser.parse_overrides(list(arguments)):
        key = override.get_key_element()
        fixed.pop(key, None)
        axes.pop(key, None)
        if override.is_sweep_override():
            axes[key] = _along(override, key)
        else:
            fixed[key] = str(override.input_line)
    return Grid(tuple(fixed.values()), axes)


def _along(override: Override, key: str) -> tuple[str, ...]:
    if not override.is_discrete_sweep():
        accepted = "a grid takes values, range(…) or choice(…); interval(…) needs hydra/sweeper=optuna"
        raise ConfigError(f"{override.input_line} is not accepted: {accepted}")
    lines = tuple(f"{key}={value}" for value in override.sweep_string_iterator())
    if not lines:
        raise ConfigError(f"{override.input_line} is not accepted: it stands for no value at all")
    return lines
