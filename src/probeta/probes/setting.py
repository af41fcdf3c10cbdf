"""The settings that probes share: device and number format, lists of sizes and names, what fits in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from probeta.errors import ConfigError, check_whole
from probeta.nn.devices import pick_device

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def device_and_dtype(device: str, dtype: str) -> tuple[torch.device, torch.dtype]:
    """The device and the number format to measure in.

    Raises `ConfigError` for an unknown name, a device that is not there and a format it lacks.
    """
    if dtype not in DTYPES:
        raise ConfigError.value("probe.dtype", dtype, f"one of {', '.join(DTYPES)}")
    # The dtype is checked first: it cannot work on any machine, whatever is plugged in.
    if device.startswith("mps") and dtype == "float64":
        raise ConfigError.value("probe.dtype", dtype, "float32 (mps has no float64)")
    return pick_device("probe.device", device), DTYPES[dtype]


def check_whole_list(key: str, values: object) -> tuple[int, ...]:
    """`values` as different whole numbers from 1, rising."""
    if isinstance(values, int) and not isinstance(values, bool):
        values = [values]
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise ConfigError.value(key, values, "a list of whole numbers from 1, such as [10,20]")
    return tuple(sorted({check_whole(key, value) for value in values}))


def check_names(key: str, values: object, known: Sequence[str]) -> tuple[str, ...]:
    """`values` as different names from `known`, in the order given."""
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, Sequence) or not values:
        raise ConfigError.value(key, values, f"names from {', '.join(known)}")
    for value in values:
        if value not in known:
            raise ConfigError.unknown(key, str(value), known)
    return tuple(dict.fromkeys(str(value) for value in values))


def check_positive(key: str, value: float) -> float:
    """`value` as a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError.value(key, value, "a number above 0")
    return float(value)


def free_bytes(device: torch.device) -> int:
    """Memory that may still be taken on `device`: a container's limit counts, not only the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = [1 << 40]
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free.append(int(line.split()[1]) * 1024)
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and limit.read_text().strip() != "max":
        free.append(int(limit.read_text()) - int(used.read_text()))
    return max(min(free), 0)


def divide_seeds(seeds: range, each: int, most: int, device: torch.device, key: str, value: object) -> list[list[int]]:
    """`seeds` in parts that take `most` bytes, of which one takes `each`. Where not even one fits on `device`,
    `ConfigError` names what makes it so large: the `value` of `key`.
    """
    check_memory(key, value, each, device)
    chunk = max(1, most // each)
    return [list(seeds[i : i + chunk]) for i in range(0, len(seeds), chunk)]


def check_memory(key: str, value: object, needed: int, device: torch.device) -> None:
    """Refuse what needs more bytes than are free on `device`, before the kernel kills the process over it."""
    free = free_bytes(device)
    if needed > 0.8 * free:
        raise ConfigError.value(
            key,
            value,
            f"a size within memory: this one takes {needed / 2**30:.1f} GiB, {free / 2**30:.1f} are free",
        )
