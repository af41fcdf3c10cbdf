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


@pytest.mark.parametrize(
    ("flags", "slow"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ({"avx2": True, "avx512_bf16": True, "amx_bf16": False}, False),
        ({"avx2": True}, False),
    ],
)
def test_a_processor_known_to_lack_bfloat16_is_told(
    flags: dict[str, bool], slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    assert ("no instructions for bfloat16" in devices.slow_in_bfloat16(torch.device("cpu"))) == slow
    assert not devices.slow_in_bfloat16(torch.device("cuda"))
