"""Names that follow from the definition: the same job always finds the same directory.

A name is a readable part and a short hash of sorted keys with parsed values, so that `0.1` and `1e-1`
are one job, and so that the order of the overrides, the launcher, and the day do not matter.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString

from probeta.errors import ConfigError
from probeta.run import SWITCHES

READABLE = 100
"""Characters of the readable part: far below the 255 bytes that file systems allow a name."""

RESERVED = frozenset({"train", "probe", "bench", "evaluate", "predict", "translate", "report"})
"""Folders of `outputs/` that hold something else than one sweep."""


def parse(lines: Sequence[str]) -> list[Override]:
    """Override lines in Hydra's grammar, parsed by Hydra."""
    return [parsed(line) for line in lines]


@lru_cache(maxsize=4096)
def parsed(line: str) -> Override:
    """A sweep's jobs repeat few lines, and Hydra's parser takes milliseconds for each."""
    overrides: list[Override] = OverridesParser.create().parse_overrides([line])
    return overrides[0]


def is_switch(key: str) -> bool:
    """`rerun`, `hydra.launcher.n_jobs`, …: how a run is carried out, no part of what it is."""
    return re.split(r"[./]", key.lstrip("+~"), maxsplit=1)[0] in SWITCHES


def identity(lines: Sequence[str]) -> dict[str, Any]:
    """Key → parsed value of the overrides that say what a run is; of two with one key the last counts."""
    found: dict[str, Any] = {}
    for override in parse(lines):
        key = override.key_or_group + (f"@{override.package}" if override.package else "")
        if not is_switch(key):
            found[f"~{key}" if override.is_delete() else key] = override.value()
    return found


def digest(content: object, length: int = 10) -> str:
    """A short hash of anything that JSON can write, the same for every order of its keys."""
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def job_name(lines: Sequence[str]) -> str:
    """`moons_mlp,lr=0.1,seed=1-3f0c6a1b2d` for `experiment=moons_mlp optimizer.lr=1e-1 seed=1`."""
    settings = identity(lines)
    parts = [short(key, settings[key]) for key in sorted(settings)]
    return _named(parts, digest(settings))


def sweep_name(
    command: str, fixed: Sequence[str], axes: Iterable[str], *, study: str | None = None, name: str | None = None
) -> str:
    """The sweep's folder: the study's name, or `name`, or what is held fixed and which keys vary.

    The values of the axes are no part of it: one more value finds what is done. Raises `ConfigError`
    for a `name` that is no plain folder name, or that `outputs/` uses for something else.
    """
    if name is not None:
        return plain_name("name", name)
    if study is not None:
        return study
    held = identity(fixed)
    varied = sorted({axis.lstrip("+~") for axis in axes})
    parts = [short(key, held[key]) for key in sorted(held)] + [axis.rsplit(".", 1)[-1] for axis in varied]
    return _named(parts or [command], digest([command, held, varied], 8))


def plain_name(key: str, name: str) -> str:
    """`name`, that `key` has, where it can be a folder in `outputs/`; else `ConfigError`."""
    if not re.fullmatch(r"[\w][\w.,=+-]{0,99}", name) or name in RESERVED:
        accepted = f"a folder name of letters, digits and . , = + - _, none of {', '.join(sorted(RESERVED))}"
        raise ConfigError.value(key, name, accepted)
    return name


def short(key: str, value: Any) -> str:
    """`optimizer.lr`, 0.1 → `lr=0.1`; `model`, `mlp` → `mlp` (a choice speaks for itself)."""
    if isinstance(value, str) and "." not in key and not key.startswith("~"):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"{key.rsplit('.', 1)[-1]}={text}"


def labels(settings: Mapping[str, Any]) -> str:
    """What a reader calls a variant: `lr=0.1, width=64`."""
    return ", ".join(short(key, settings[key]) for key in sorted(settings))


def quoted(key: str, value: str) -> str:
    """The override line that sets `key` to exactly `value`, whatever characters it holds."""
    return f"{key}={QuotedString(text=value, quote=Quote.single).with_quotes()}"


def _named(parts: Sequence[str], suffix: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_.,=+-]+", "_", ",".join(parts)).lstrip(".-")
    text = text[:READABLE].rstrip(",._-")
    return f"{text}-{suffix}" if text else f"defaults-{suffix}"
