"""`key=value` arguments of the commands that read a finished run."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from probeta.errors import ConfigError

NEW = "FILE, new:"
"""How the description of a file begins that the command writes."""


class HelpShown(SystemExit):
    """`--help` was answered."""


def parse(usage: str, argv: list[str], accepted: Mapping[str, str]) -> dict[str, str]:
    """The arguments by key; `accepted` says what each key is, for the help and for mistakes.

    A key that is a `FILE, new:` is written by the command, which replaces nothing. Raises `ConfigError` for an unknown
    key, one without a value, and a new file that cannot be one. `-h` prints the help and exits.
    """
    if {"-h", "--help"} & set(argv):
        print(f"usage: {usage}\n\n" + "\n".join(f"  {key:<16}{text}" for key, text in accepted.items()))
        raise HelpShown(0)
    values: dict[str, str] = {}
    for argument in argv:
        key, equals, value = argument.partition("=")
        if key not in accepted:
            raise ConfigError.unknown("argument", argument if not equals else key, accepted)
        if not equals:
            raise ConfigError(f"{key} has no value: {key}={re.split('[:,]', accepted[key])[0]}")
        is_path = accepted[key].startswith(("DIR:", "FILE:", NEW))
        values[key] = os.path.expanduser(value) if is_path else value
    check_new(values, [key for key in values if accepted[key].startswith(NEW)])
    return values


def split_folders(argv: list[str], accepted: Collection[str]) -> tuple[list[str], dict[str, str]]:
    """The folders of `argv`, and its arguments by key, of which the last counts.

    A folder is whatever has none of the keys `accepted`: its name may hold a `=`, as jobs of a sweep are called.
    """
    folders, values = [], {}
    for argument in argv:
        key, equals, value = argument.partition("=")
        if equals and key in accepted:
            values[key] = value
        else:
            folders.append(os.path.expanduser(argument))
    return folders, values


def check_new(values: Mapping[str, str], keys: Iterable[str]) -> None:
    """`ConfigError` where a file that one of `keys` names is there already, is another's too, or cannot be made."""
    seen: dict[Path, str] = {}
    for key in keys:
        path = Path(values[key]).absolute()
        if os.path.lexists(path):
            raise ConfigError.value(key, values[key], "a file that does not exist yet")
        if path in seen:
            raise ConfigError(f"{seen[path]} and {key} are the same file, {values[key]}")
        folder = next(parent for parent in path.parents if parent.exists())
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise ConfigError.value(key, values[key], f"{folder} is no folder that can be written to")
        seen[path] = key


def required(values: Mapping[str, str], key: str, meaning: str) -> str:
    if not values.get(key):
        raise ConfigError(f"{key} is missing: {key}={meaning}")
    return values[key]
