from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from probeta.callbacks.checkpoint import Checkpoint


def test_processes_that_share_a_run_write_by_the_clock_of_the_first(monkeypatch) -> None:
    """Each has a clock of its own: where one waited in writing and the others in a step, both waited for ever."""
    votes: list[bool] = []

    def decide(vote: bool, all: bool) -> bool:
        votes.append(vote)
        return any(votes)

    def due(first: bool, late: bool) -> bool:
        strategy = SimpleNamespace(reduce_boolean_decision=decide)
        trainer: Any = SimpleNamespace(is_global_zero=first, world_size=2, strategy=strategy)
        monkeypatch.setattr(Checkpoint, "due", property(lambda self: late))
        return Checkpoint().due_for_all(trainer)

    assert due(first=True, late=False) is due(first=False, late=True) is False
    assert due(first=True, late=True) is due(first=False, late=False) is True
