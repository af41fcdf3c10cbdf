"""Names that configurations of earlier runs hold, and where what they name is today."""

from __future__ import annotations

from typing import Any

MOVED = {
    "probeta.logs.csv": "probeta.loggers.csv",
    "probeta.logs.tensorboard": "probeta.loggers.tensorboard",
}
"""Module, or module and class, of a `_target_` → its home today. A run made before a move still loads."""


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
