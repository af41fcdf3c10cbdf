"""What a run is, whoever carries it out: its hash, and the keys and values that name it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

SWEEP_SWITCHES = ("resume", "rerun", "retries", "fail_fast", "name", "lang")
"""Top-level keys that a command or a sweep obeys itself: its jobs do not see them."""

SWITCHES = (*SWEEP_SWITCHES, "output_dir", "logger", "study", "hydra")
"""Top-level keys that say how a run is carried out, not what it is: no part of its identity."""


def config_sha256(config: DictConfig | Mapping[str, Any]) -> str:
    """What the run is, as a hash: the resolved configuration without `SWITCHES`."""
    tree = OmegaConf.to_container(config, resolve=True) if isinstance(config, DictConfig) else dict(config)
    assert isinstance(tree, dict)
    identity = {key: value for key, value in tree.items() if key not in SWITCHES}
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()


def parse(lines: Sequence[str]) -> list[Override]:
    """Override lines in Hydra's grammar, parsed by Hydra."""
    return [parse_cached(line) for line in lines]


@lru_cache(maxsize=4096)
def parse_cached(line: str) -> Override:
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


def shorten_setting(key: str, value: Any) -> str:
    """`optimizer.lr`, 0.1 → `lr=0.1`; `model`, `mlp` → `mlp` (a choice speaks for itself)."""
    if isinstance(value, str) and "." not in key and not key.startswith("~"):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"{key.rsplit('.', 1)[-1]}={text}"


def label_settings(settings: Mapping[str, Any]) -> str:
    """What a reader calls a variant: `lr=0.1, width=64`."""
    return ", ".join(shorten_setting(key, settings[key]) for key in sorted(settings))
