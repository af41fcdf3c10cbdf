"""What a user can get wrong, each with the key, the value and what would be accepted.

The commands print these in a line or two and exit with 2 (see `probeta.cli`); everything else is a
failed run, which exits with 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from numbers import Integral


class UserError(ValueError):
    """A mistake of the user's: the message says what to change."""


class ConfigError(UserError):
    """A key or a value of the configuration is not accepted."""

    @classmethod
    def value(cls, key: str, value: object, accepted: str) -> ConfigError:
        """`model.dropout=1.5 is not accepted: a probability, 0 <= p < 1`."""
        return cls(f"{key}={value} is not accepted: {accepted}")

    @classmethod
    def unknown(cls, what: str, name: str, known: Iterable[str]) -> ConfigError:
        """`unknown key 'optimizer.lrr': did you mean 'optimizer.lr'?`"""
        known = sorted(known)
        # Of a dotted key only the last part is compared: what all the known keys share says nothing.
        last = {key.rsplit(".", 1)[-1]: key for key in reversed(known)}
        near = [last[word] for word in get_close_matches(name.rsplit(".", 1)[-1], last, n=3, cutoff=0.6)]
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"accepted: {', '.join(known) or 'none'}"
        return cls(f"unknown {what} {name!r}: {hint}")


def check_whole(key: str, value: object, least: int = 1, most: int | None = None) -> int:
    """`value`, if it is a whole number from `least` (to `most`); else the `ConfigError` that says so of `key`."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if least <= number and (most is None or number <= most):
            return number
    raise ConfigError.value(key, value, f"a whole number from {least}" + ("" if most is None else f" to {most}"))


def check_whole_or_null(
    key: str, value: object, least: int = 1, meaning: str = "", most: int | None = None
) -> int | None:
    """As `check_whole`, with `None` accepted too; `meaning` is what null does: "for the full batch"."""
    try:
        return None if value is None else check_whole(key, value, least, most)
    except ConfigError as error:
        raise ConfigError(f"{error}, or null {meaning}".rstrip()) from None


class DataError(UserError):
    """A data file is missing or malformed: the message names file and line."""


class RunDirectoryError(UserError):
    """A run directory is missing, in use, not empty, changed, or not trusted."""


class RunDirectoryInUse(RunDirectoryError):
    """Another process holds the run directory."""


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number: the run fails (exit 1), it is no mistake of the command line."""

    def __init__(self, metric: str, value: float, step: int, epoch: int) -> None:
        super().__init__(metric, value, step, epoch)  # which pickling builds it from again
        self.message = f"{metric} is {value} at step {step} (epoch {epoch + 1})"

    def __str__(self) -> str:
        return self.message

    @classmethod
    def check(cls, metrics: Mapping[str, float], step: int, epoch: int) -> None:
        """Raise where the trained weights' loss on their own training data is no number.

        No step is left after the last update to find that out.
        """
        if not math.isfinite(value := metrics.get("train/loss", 0.0)):
            raise cls("train/loss", value, step, epoch)
