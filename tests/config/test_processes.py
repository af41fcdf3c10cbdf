from __future__ import annotations

from typing import Any

import pytest

from probeta.config.processes import choose_strategy, processes
from probeta.errors import ConfigError


@pytest.mark.parametrize(
    ("trainer", "count"),
    [
        ({}, 1),
        ({"devices": 2}, 2),
        ({"devices": "2", "strategy": "ddp_spawn"}, 2),
        ({"devices": -1}, 1),
        ({"devices": "auto", "accelerator": "cpu"}, 1),
        ({"devices": [0, 1], "accelerator": "gpu"}, 2),
    ],
)
def test_devices_are_counted_in_every_form(trainer: dict[str, Any], count: int) -> None:
    assert processes(trainer) == count


@pytest.mark.parametrize(
    ("trainer", "told"),
    [
        ({"devices": [0, 1], "accelerator": "cpu"}, r"trainer.devices=\[0,1\] is not accepted: how many"),
        ({"devices": 0}, "trainer.devices=0 is not accepted: how many"),
        ({"devices": -2}, "trainer.devices=-2 is not accepted"),
        ({"devices": 2, "strategy": "fsdp"}, "trainer.strategy=fsdp is not accepted: auto or ddp"),
        ({"num_nodes": 2}, "trainer.num_nodes=2 is not accepted: 1"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(trainer: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        processes(trainer)


def test_lightning_is_given_a_strategy_that_starts_no_processes() -> None:
    assert choose_strategy(2, None) == choose_strategy(2, "ddp_spawn") == choose_strategy(2, "ddp_notebook") == "ddp"
    assert choose_strategy(2, "ddp_spawn_find_unused_parameters_true") == "ddp_find_unused_parameters_true"
    assert choose_strategy(1, "ddp") == "auto"
