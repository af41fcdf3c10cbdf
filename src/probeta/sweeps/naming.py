"""Names that follow from the definition: the same job always finds the same directory.

A name is a readable part and a short hash of sorted keys with parsed values, so that `0.1` and `1e-1`
are one job, and so that the order of the overrides, the launcher, and the day do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from probeta.errors import ConfigError
from probeta.runs.identity import digest, identity, label_settings, quote, shorten_setting
from probeta.runs.row import REPLICATES

READABLE = 100
"""Characters of the readable part: far below the 255 bytes that file systems allow a name."""

RESERVED = frozenset({"train", "probe", "bench", "evaluate", "predict", "translate", "report"})
"""Folders of `outputs/` that hold something else than one sweep."""


def job_name(lines: Sequence[str]) -> str:
    """`moons_mlp,lr=0.1,seed=1-3f0c6a1b2d` for `experiment=moons_mlp optimizer.lr=1e-1 seed=1`."""
    settings = identity(lines)
    parts = [shorten_setting(key, settings[key]) for key in sorted(settings)]
    return _named(parts, digest(settings))


def name_variant(name: str | None, overrides: Sequence[str]) -> str:
    """What the report calls the variant, or all of its settings where the study gives it no name."""
    return name or label_settings({key: value for key, value in identity(overrides).items() if key not in REPLICATES})


def sweep_name(
    command: str, fixed: Sequence[str], axes: Iterable[str], *, study: str | None = None, name: str | None = None
) -> str:
    """The sweep's folder: the study's name, or `name`, or what is held fixed and which keys vary.

    The values of the axes are no part of it: one more value finds what is done. Raises `ConfigError`
    for a `name` that is no plain folder name, or that `outputs/` uses for something else.
    """
    if name is not None:
        return check_plain_name("name", name)
    if study is not None:
        return study
    held = identity(fixed)
    varied = sorted({axis.lstrip("+~") for axis in axes})
    parts = [shorten_setting(key, held[key]) for key in sorted(held)] + [_shorten_axis(axis) for axis in varied]
    return _named(parts or [command], digest([command, held, varied], 8))


def _shorten_axis(axis: str) -> str:
    """`model.width` → `width`, `model.width+optimizer.lr` (axes that move together) → `width+lr`."""
    return "+".join(key.rsplit(".", 1)[-1] for key in axis.split("+"))


def check_plain_name(key: str, name: str) -> str:
    """`name`, that `key` has, where it can be a folder in `outputs/`; else `ConfigError`."""
    if not re.fullmatch(r"[\w][\w.,=+-]{0,99}", name) or name in RESERVED:
        accepted = f"a folder name of letters, digits and . , = + - _, none of {', '.join(sorted(RESERVED))}"
        raise ConfigError.value(key, name, accepted)
    return name


def quote_override(key: str, value: str) -> str:
    """The override line that sets `key` to exactly `value`, whatever characters it holds."""
    return f"{key}={quote(value)}"


def _named(parts: Sequence[str], suffix: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_.,=+-]+", "_", ",".join(parts)).lstrip(".-")
    text = text[:READABLE].rstrip(",._-")
    return f"{text}-{suffix}" if text else f"defaults-{suffix}"
