"""The devices of this machine, and the one that a name stands for."""

from __future__ import annotations

import torch

from probeta.errors import ConfigError


def available() -> dict[str, torch.device]:
    """Lightning's accelerator names → the device of this machine that each stands for; the CPU first."""
    devices = {"cpu": torch.device("cpu")}
    if torch.cuda.is_available():
        devices["gpu"] = torch.device("cuda", torch.cuda.current_device())
    if torch.backends.mps.is_available():
        devices["mps"] = torch.device("mps")
    return devices


def slow_in_bfloat16(device: torch.device) -> str:
    """Why products in bfloat16 take many times as long on `device` as in float32; "" where they do not.

    A processor without instructions for them emulates each. Nothing is said of what is not known to lack them.
    """
    known = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    flags = [value for name, value in known.items() if "bf16" in name]
    if not flags or any(flags):
        return ""
    return "this processor has no instructions for bfloat16: it emulates them, many times slower than float32"


def pick_device(key: str, name: str, also: str = "") -> torch.device:
    """The device `name`: cpu, cuda (or gpu), cuda:N, mps; `auto` is the accelerator where there is one.

    `also` are further words that `key` takes. Raises `ConfigError` for a name that is none and a device that is not
    there.
    """
    here = available()
    if name == "auto":
        return list(here.values())[-1]
    by_type = {device.type: device for device in here.values()}
    accepted = f"a device of this machine: {', '.join(by_type)}{also and f', or {also}'}"
    try:
        device = torch.device("cuda" if name == "gpu" else name)
    except RuntimeError:
        raise ConfigError.value(key, name, accepted) from None
    if device.type not in by_type or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()):
        raise ConfigError.value(key, name, accepted)
    return by_type[device.type] if device.index is None else device
