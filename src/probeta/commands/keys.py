"""`probeta keys`: every key of a configuration with its value, type and meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from probeta.commands.plugins import register_plugins
from probeta.composition.app import compose_tree
from probeta.config.build import RUN_SUPPLIES, SUPPLIED
from probeta.config.keys import Key, list_keys
from probeta.config.trainer import REFUSED
from probeta.errors import ConfigError

USAGE = """usage: probeta keys [KEY …] [key=value …]

Every key of the configuration that `probeta train key=value …` composes (`probeta probe`, where one is probe=NAME),
with its value, type and meaning: probeta keys model=mlp. With KEY only that one and those below it, in full:
probeta keys optimizer.lr. A key shown with + is not set in the configuration and is written so: +optimizer.amsgrad=true
"""

WIDEST = (40, 16, 24)
"""Columns of keys, values and types: what is longer moves the rest of its line."""


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        return 0
    asked = [a.lstrip("+") for a in argv if "=" not in a and not a.startswith(("-", "~"))]
    keys = find_keys([a for a in argv if "=" in a or a.startswith(("-", "~"))])
    shown = choose(keys, asked)
    for line in table(shown, in_full=bool(asked)):
        print(line)
    return 0


def find_keys(overrides: list[str]) -> list[Key]:
    """The keys of what `overrides` compose; a probe's where they choose one."""
    register_plugins()
    name = "probe" if any(o.lstrip("+").startswith(("probe=", "probe.")) for o in overrides) else "train"
    # A probe's data and models bring keys of training with them.
    primary = "\n".join(files("probeta.conf").joinpath(f).read_text("utf-8") for f in ("train.yaml", f"{name}.yaml"))
    return list_keys(
        compose_tree(name, overrides), primary, SUPPLIED | {"logger": RUN_SUPPLIES, "trainer": tuple(REFUSED)}
    )


def choose(keys: Sequence[Key], asked: Sequence[str]) -> list[Key]:
    """Those of `keys` that are `asked` for or below one of them; `ConfigError` for one that there is none of."""
    for name in asked:
        if not any(f"{key.path}.".startswith(f"{name}.") for key in keys):
            parent = name.rpartition(".")[0]
            beside = [key.path for key in keys if key.path.rpartition(".")[0] == parent]
            deeper = [key.path for key in keys if not parent and key.path.endswith(f".{name}")]
            raise ConfigError.unknown(
                "key", name, deeper or beside or [key.path for key in keys if "." not in key.path]
            )
    return [key for key in keys if not asked or any(f"{key.path}.".startswith(f"{name}.") for name in asked)]


def table(keys: Sequence[Key], in_full: bool = False) -> list[str]:
    """Aligned lines under a heading; of each meaning the first sentence, unless `in_full`."""
    rows = [Key("key", "value", "type", "meaning")]
    rows += [k if in_full else k._replace(meaning=re.split(r"(?<=[^A-Z.][.])\s", k.meaning)[0]) for k in keys]
    widths = [min(max(len(row[column]) for row in rows), most) for column, most in enumerate(WIDEST)]
    return ["  ".join((*map(str.ljust, row[:3], widths), row.meaning)).rstrip() for row in rows]
