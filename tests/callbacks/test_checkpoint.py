from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from probeta.callbacks.checkpoint import Checkpoint


@pytest.mark.parametrize("moment", ["batch", "epoch"])
def test_processes_that_share_a_run_write_by_the_clock_of_the_first(moment: str, monkeypatch) -> None:
    """Each has a clock of its own: where one waited in writing and the other in a step, both waited for ever."""
    votes: list[bool] = []

    def add(vote: torch.Tensor) -> None:
        votes.append(bool(vote))
        vote.fill_(sum(votes))

    def writes(first: bool, late: bool) -> bool:
        written: list[bool] = []
        monkeypatch.setattr(Checkpoint, "due", property(lambda self: late))
        monkeypatch.setattr(Checkpoint, "save", lambda self, trainer: written.append(True))
        trainer: Any = SimpleNamespace(
            is_global_zero=first,
            world_size=2,
            strategy=SimpleNamespace(root_device="cpu"),
            num_training_batches=9,
            accumulate_grad_batches=1,
        )
        model: Any = None
        if moment == "batch":
            Checkpoint().on_train_batch_end(trainer, model, None, None, 3)
        else:
            Checkpoint().on_train_epoch_end(trainer, model)
        return bool(written)

    monkeypatch.setattr(torch.distributed, "all_reduce", add)
    assert not writes(first=True, late=False)
    assert not writes(first=False, late=True)
    assert writes(first=True, late=True)
    assert writes(first=False, late=False)
