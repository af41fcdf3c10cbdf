"""How many processes a run asks for: `trainer.devices` and `trainer.strategy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probeta.errors import ConfigError

STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
"""What may stand for `trainer.strategy`; and Lightning's `ddp_spawn…` for each, since processes are always spawned."""


def choose_strategy(count: int, strategy: Any) -> Any:
    """`trainer.strategy` for `count` processes that are there already: without Lightning's suffix for how they start.

    Raises `ConfigError` for several processes and a strategy that is not data-parallel.
    """
    if count == 1:
        return "auto" if strategy is None or str(strategy).startswith("ddp") else strategy
    name = str(strategy or "auto")
    for start in ("_spawn", "_fork", "_notebook"):
        name = name.replace(start, "")
    if name not in STRATEGIES:
        raise ConfigError.value("trainer.strategy", strategy, " or ".join(STRATEGIES[:2]))
    return "ddp" if name == "auto" else name


def processes(trainer: Mapping[str, Any]) -> int:
    """How many processes the run is to be divided among.

    Raises `ConfigError` for devices that cannot be counted, and for several nodes.
    """
    devices, accelerator = trainer.get("devices", 1), str(trainer.get("accelerator", "cpu"))
    if trainer.get("num_nodes", 1) != 1:
        raise ConfigError.value("trainer.num_nodes", trainer["num_nodes"], "1 (a run stays on one machine)")
    graphics = accelerator in ("gpu", "cuda")
    if isinstance(devices, list) and graphics and devices:
        return len(devices)
    if str(devices) in ("-1", "auto"):
        if not graphics:
            return 1
        import torch

        return max(1, torch.cuda.device_count())
    if isinstance(devices, bool) or not str(devices).isdigit() or int(devices) < 1:
        wanted = "how many, a whole number from 1" + (", or a list of their numbers" if graphics else "")
        raise ConfigError.value("trainer.devices", str(devices).replace(" ", ""), wanted)
    count = int(devices)
    choose_strategy(count, trainer.get("strategy"))
    return count
