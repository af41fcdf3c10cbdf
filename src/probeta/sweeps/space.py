"""A search space from Hydra's sweep syntax."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Transformer
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from probeta.errors import ConfigError
from probeta.runs.row import REPLICATES


@dataclass(frozen=True)
class Space:
    """What is held fixed, what is searched (key → distribution), and the seeds that repeat a trial."""

    fixed: tuple[str, ...]
    searched: dict[str, BaseDistribution]
    seeds: dict[str, tuple[str, ...]]
    """Of `REPLICATES`, those that repeat a trial → the override lines of each."""

    def list_repeats(self) -> list[tuple[str, ...]]:
        """The lines of each repetition of a trial: every seed with every other."""
        return list(itertools.product(*self.seeds.values()))

    def lines(self, values: dict[str, Any]) -> tuple[str, ...]:
        """The overrides of a trial with these values."""
        return (*self.fixed, *(f"{key}={values[key]}" for key in self.searched))


def read_space(arguments: Sequence[str], loader: ConfigLoader | None = None) -> Space:
    """`a=1,2` and `a=choice(1,2)` choose, `a=range(1,9)` counts, `a=interval(0,1)` is continuous,
    `a=int(interval(1,9))` whole, `tag(log, interval(1e-4,1e-1))` is logarithmic. `seed=1,2,3` repeats each trial,
    as does any of `REPLICATES`.

    Raises `ConfigError` for an empty interval, and where nothing is searched.
    """
    fixed: dict[str, str] = {}
    searched: dict[str, BaseDistribution] = {}
    seeds: dict[str, tuple[str, ...]] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(arguments)):
        key = override.get_key_element()
        fixed.pop(key, None)
        seeds.pop(key, None)
        if not override.is_sweep_override():
            fixed[key] = str(override.input_line)
        elif key in REPLICATES:
            seeds[key] = tuple(f"{key}={value}" for value in override.sweep_string_iterator())
        else:
            try:
                searched[key] = distribution(override)
            except ValueError as error:
                raise ConfigError(f"{override.input_line} is not accepted: {error}") from None
    if not searched:
        raise ConfigError("nothing is searched: say what, as in optimizer.lr='tag(log, interval(1e-4,1e-1))'")
    return Space(tuple(fixed.values()), searched, seeds)


def distribution(override: Override) -> BaseDistribution:
    """The Optuna distribution that a sweep override stands for."""
    value: Any = override.value()
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, RangeSweep):
        numbers = list(value.range())
        if len(numbers) < 1:
            raise ValueError("it stands for no value at all")
        if all(isinstance(n, int) for n in numbers):
            return IntDistribution(min(numbers), max(numbers), log=log, step=1 if log else abs(int(value.step)))
        return FloatDistribution(min(numbers), max(numbers), step=abs(float(value.step)))
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        assert low is not None
        assert high is not None
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)
    assert isinstance(value, ChoiceSweep) or override.is_choice_sweep()
    return CategoricalDistribution([_plain(v) for v in override.sweep_iterator(transformer=Transformer.encode)])


def _plain(value: Any) -> Any:
    """Optuna stores numbers and words; what Hydra quotes stays as it must be typed."""
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
