"""Names that configurations of earlier runs hold, and where what they name is today."""

from __future__ import annotations

from typing import Any

MOVED = {
    "probeta.logs.csv": "probeta.loggers.csv",
    "probeta.logs.tensorboard": "probeta.loggers.tensorboard",
    "probeta.probes.bug_hunt_probe": "probeta.probes.bug_hunt",
    "probeta.probes.depth_probe": "probeta.probes.depth",
    "probeta.probes.gradcheck_probe": "probeta.probes.gradcheck",
    "probeta.probes.layers_probe": "probeta.probes.layers",
    "probeta.probes.length_probe": "probeta.probes.length",
    "probeta.probes.state_machine_probe": "probeta.probes.state_machine",
}
"""Module, or module and class, of a `_target_` → its home today. A run made before a move still loads."""

GONE = {"probe": ("checkpoints", "resume")}
"""Kind of run (a top-level key that it has) → keys that such runs had and no longer have."""

ADDED = {"probe": {"run": None}}
"""Kind of run → keys that such runs have today, with what they were before."""


def update_config(tree: dict[str, Any]) -> dict[str, Any]:
    """An earlier run's configuration, in plain containers, as it would be composed today."""
    gone = {key for kind, keys in GONE.items() if kind in tree for key in keys}
    added = {key: value for kind, keys in ADDED.items() if kind in tree for key, value in keys.items()}
    kept = {key: value for key, value in tree.items() if key not in gone}
    updated: dict[str, Any] = rename_targets({**added, **kept})
    return updated


def rename_targets(tree: Any) -> Any:
    """`tree`, a configuration in plain containers, with each `_target_` under its name of today."""
    if isinstance(tree, dict):
        return {key: _home(value) if key == "_target_" else rename_targets(value) for key, value in tree.items()}
    return [rename_targets(value) for value in tree] if isinstance(tree, list) else tree


def _home(target: Any) -> Any:
    if not isinstance(target, str):
        return target
    module, _, name = target.rpartition(".")
    return MOVED.get(target) or (f"{MOVED[module]}.{name}" if module in MOVED else target)
