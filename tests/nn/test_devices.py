from __future__ import annotations

import pytest
import torch

from probeta.errors import ConfigError
from probeta.nn import devices


def test_auto_is_the_accelerator_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available", lambda: {"cpu": torch.device("cpu")})
    assert devices.pick_device("device", "auto") == torch.device("cpu")
    monkeypatch.setattr(devices, "available", lambda: {"cpu": torch.device("cpu"), "mps": torch.device("mps")})
    assert devices.pick_device("device", "auto") == devices.pick_device("device", "mps") == torch.device("mps")
    assert devices.pick_device("device", "cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["abacus", "cuda", "cuda:7", "gpu", "mps"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(devices, "available", lambda: {"cpu": torch.device("cpu")})
    with pytest.raises(ConfigError, match=f"^probe.device={name} is not accepted: a device of this machine: cpu$"):
        devices.pick_device("probe.device", name)
    with pytest.raises(ConfigError, match=r"cpu, or measured$"):
        devices.pick_device("trainer.accelerator", name, also="measured")
