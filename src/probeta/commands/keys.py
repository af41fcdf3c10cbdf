"""`probeta keys`: every key of a configuration with its value, type and meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from probeta.commands.plugins import register_plugins
from probeta.composition.app import compose_tree
from probeta.config.build import RUN_SUPPLIES, SUPPLIED
from probeta.config.keys import Key, list_keys
from probeta.config.trainer import REFUSED
from probeta.errors import ConfigError
from probeta.sweeps.study import GridStage, Study

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


SUPPLIES = SUPPLIED | {"logger": RUN_SUPPLIES, "trainer": tuple(REFUSED)}
"""Arguments that no configuration may state, by the path of their node."""

OTHERS = {
    "hydra": "of Hydra itself",
    "hydra.launcher": "what brings a sweep's jobs to processes",
    "hydra.sweeper": "what decides which jobs a sweep has",
    "hydra.launcher.ray": "arguments of ray.init and ray.remote: ray.init.address=HOST:PORT joins a cluster that runs",
    "hydra.launcher.submitit_folder": "where submitit keeps each job's files",
    "hydra.launcher.stderr_to_stdout": "write errors to the log of standard output",
}
"""Meanings that no plugin of Hydra's states."""


def find_keys(overrides: list[str]) -> list[Key]:
    """The keys of what `overrides` compose; a probe's where they choose one."""
    register_plugins()
    name = "probe" if any(o.lstrip("+").startswith(("probe=", "probe.")) for o in overrides) else "train"
    return describe_tree(compose_tree(name, overrides), name)


def describe_tree(tree: Mapping[str, Any], name: str = "train") -> list[Key]:
    """The keys of `tree`, made of the primary configuration `name` or of a part of it."""
    # A probe's data and models bring keys of training with them.
    primary = "\n".join(files("probeta.conf").joinpath(f).read_text("utf-8") for f in ("train.yaml", f"{name}.yaml"))
    keys = list_keys(tree, primary, SUPPLIES, {"study": Study, "study.search": GridStage} | find_plugins(tree))
    slurm = "Slurm" in str((tree.get("hydra") or {}).get("launcher"))
    return [key if key.meaning else key._replace(meaning=explain_other(key.path, slurm)) for key in keys]


def find_plugins(tree: Mapping[str, Any]) -> dict[str, type]:
    """What the launcher and the sweeper in `tree` are configured by, by the path of each."""
    nodes = tree.get("hydra") or {}
    return {
        f"hydra.{part}": kind
        for part, node in nodes.items()
        for file in ConfigStore.instance().repo["hydra"][part].values()
        if (kind := OmegaConf.get_type(file.node)) not in (None, dict)
        and file.node.get("_target_") == node.get("_target_")
    }


def explain_other(path: str, slurm: bool) -> str:
    """What no constructor says; of sbatch's own options submitit says nothing."""
    option = path.removeprefix("hydra.launcher.")
    return OTHERS.get(path, f"as sbatch --{option.replace('_', '-')}" if slurm and option != path else "")


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
