"""`key=value` arguments of the commands that read a finished run."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from probeta.errors import ConfigError


class HelpShown(SystemExit):
    """`--help` was answered."""


def parse(usage: str, argv: list[str], accepted: Mapping[str, str]) -> dict[str, str]:
    """The arguments by key; `accepted` says what each key is, for the help and for mistakes.

    Raises `ConfigError` for an unknown key or one without a value. `-h` prints the help and exits.
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
            raise ConfigError(f"{key} has no value: {key}={accepted[key].split(':')[0]}")
        is_path = accepted[key].split(":")[0] in ("DIR", "FILE")
        values[key] = os.path.expanduser(value) if is_path else value
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


def check_new(values: Mapping[str, str], key: str) -> None:
    """`ConfigError` where the file that `key` names is there already."""
    if key in values and Path(values[key]).exists():
        raise ConfigError.value(key, values[key], "a file that does not exist yet")


def required(values: Mapping[str, str], key: str, meaning: str) -> str:
    if not values.get(key):
        raise ConfigError(f"{key} is missing: {key}={meaning}")
    return values[key]
