"""What a run is, whoever carries it out: its hash, and the keys and values that name it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, Quote, QuotedString, ValueType
from omegaconf import DictConfig, OmegaConf

from probeta.errors import ConfigError, check_whole, check_whole_or_null

SWEEP_SWITCHES = ("resume", "extend", "rerun", "retries", "fail_fast", "name", "lang", "zip")
"""Top-level keys that a command or a sweep obeys itself: its jobs do not see them."""

SWITCHES = (*SWEEP_SWITCHES, "output_dir", "logger", "study", "hydra")
"""Top-level keys that say how a run is carried out, not what it is: no part of its identity."""


LARGEST_SEED = 2**32 - 1


class Seeds(NamedTuple):
    """What each kind of randomness in a run is drawn from, the data's own (`data.seed`) aside."""

    init: int
    """The initial weights."""
    order: int
    """The order of the training batches."""
    noise: int
    """Dropout, teacher forcing, anything else that training draws."""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Seeds:
        """Those of a resolved configuration: `seeds.*`, each of which is `seed` where it is null or not there."""
        own = tree.get("seeds") or {}
        return cls(*(tree["seed"] if own.get(name) is None else own[name] for name in cls._fields))


def check_seeds(tree: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a `seed`, or one in `seeds`, that is no seed."""
    check_whole("seed", tree.get("seed"), 0, LARGEST_SEED)
    own = {} if tree.get("seeds") is None else tree["seeds"]
    if not isinstance(own, Mapping):
        told = f"seeds.{', seeds.'.join(Seeds._fields)} one by one; several runs are a sweep: -m 'seed=range(5)'"
        raise ConfigError.value("seeds", own, told)
    for name, value in own.items():
        if name not in Seeds._fields:
            raise ConfigError.unknown("key", f"seeds.{name}", [f"seeds.{known}" for known in Seeds._fields])
        check_whole_or_null(f"seeds.{name}", value, 0, "to follow seed", LARGEST_SEED)


DIVISION = ("folds", "fold", "limit")
"""Arguments of data that can be divided in folds: null, they say no more than if they were absent."""


def select_defining(tree: Mapping[str, Any]) -> dict[str, Any]:
    """What of a resolved configuration says what the run is: no `SWITCHES`, and no seed that follows `seed`."""
    kept = {key: value for key, value in tree.items() if key not in (*SWITCHES, "seeds")}
    data = tree.get("data")
    if isinstance(data, Mapping) and "folds" in data:
        kept["data"] = {key: value for key, value in data.items() if key not in DIVISION or value is not None}
    seeds = tree.get("seeds")
    if isinstance(seeds, Mapping):
        seeds = {name: value for name, value in seeds.items() if value is not None}
    return {**kept, "seeds": seeds} if seeds else kept


def config_sha256(config: DictConfig | Mapping[str, Any]) -> str:
    """What the run is, as a hash of what `select_defining` takes from its resolved configuration."""
    tree = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else config
    assert isinstance(tree, Mapping)
    text = json.dumps(select_defining({str(key): value for key, value in tree.items()}), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def parse(lines: Sequence[str]) -> list[Override]:
    """Override lines in Hydra's grammar, parsed by Hydra."""
    return [parse_cached(line) for line in lines]


NUMBER = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)=(-?(?:0|[1-9][0-9]*))", re.ASCII)
"""An override line that sets a key to a whole number."""


@lru_cache(maxsize=65536)
def parse_cached(line: str) -> Override:
    """A sweep's jobs repeat few lines besides their seeds, and Hydra's parser takes milliseconds for each."""
    if found := NUMBER.fullmatch(line):
        return Override(OverrideType.CHANGE, found[1], ValueType.ELEMENT, int(found[2]), None, line)
    overrides: list[Override] = OverridesParser.create().parse_overrides([line])
    return overrides[0]


def quote(value: str) -> str:
    """`value` as it stands in an override line to mean exactly this text, whatever characters it holds."""
    quoted: str = QuotedString(text=value, quote=Quote.single).with_quotes()
    return quoted


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


def shorten_setting(key: str, value: Any) -> str:
    """`optimizer.lr`, 0.1 → `lr=0.1`; `model`, `mlp` → `mlp` (a choice speaks for itself)."""
    if isinstance(value, str) and "." not in key and not key.startswith("~"):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"{key.rsplit('.', 1)[-1]}={text}"


def label_settings(settings: Mapping[str, Any]) -> str:
    """What a reader calls a variant: `lr=0.1, width=64`; a group that is left out says which (`scheduler=none`)."""
    return ", ".join(
        f"{key}=none" if value == "none" and "." not in key else shorten_setting(key, value)
        for key, value in sorted(settings.items())
    )


def flatten_settings(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as flat keys: what the HPARAMS tab lists."""
    flat: dict[str, Any] = {}

    def visit(node: Any, path: str) -> None:
        if isinstance(node, Mapping):
            for key, value in node.items():
                if key not in ("_target_", "_partial_"):
                    visit(value, f"{path}.{key}" if path else str(key))
        elif node is not None:
            flat[path] = node

    for key in ("data", "model", "optimizer", "scheduler", "seed", "seeds"):
        visit(tree.get(key), key)
    return flat
