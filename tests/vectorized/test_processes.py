"""Processes that train a group's shares: what they tell, how they end, and that results do not depend on them."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
import torch

from probeta.errors import ConfigError
from probeta.runs.signals import Interrupted
from probeta.vectorized.processes import processes, run_in_processes, share_out
from tests.vectorized.test_launcher import sweep

Tell, Check = Callable[[Any], None], Callable[[], None]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_every_share_has_a_process_of_its_own_with_one_thread() -> None:
    heard: list[tuple[int, int, int]] = []

    def work(share: int, tell: Tell, check: Check) -> None:
        check()
        tell((share, os.getpid(), torch.get_num_threads()))

    run_in_processes([3, 4, 5], work, heard.append)
    assert sorted(share for share, _, _ in heard) == [3, 4, 5]
    assert len({pid for _, pid, _ in heard} | {os.getpid()}) == 4
    assert {threads for _, _, threads in heard} == {1}


def raising() -> None:
    raise ConfigError.value("key", "bad", "good")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("end", "error", "words"),
    [(raising, ConfigError, "key=bad is not accepted: good"), (killed, BrokenProcessPool, "SIGKILL")],
)
def test_how_a_process_ended_is_raised_when_the_others_have_ended(
    end: Callable[[], None], error: type[Exception], words: str
) -> None:
    heard: list[str] = []

    def work(share: str, tell: Tell, check: Check) -> None:
        if share == "bad":
            end()
        time.sleep(0.3)
        tell(share)

    with pytest.raises(error, match=words):
        run_in_processes(["bad", "good"], work, heard.append)
    assert heard == ["good"]


def test_a_signal_is_passed_on_as_a_request() -> None:
    heard: list[str] = []

    def work(share: str, tell: Tell, check: Check) -> None:
        tell("started")
        try:
            while True:
                check()
                time.sleep(0.01)
        except Interrupted as interruption:
            tell(str(interruption))
            raise

    def hear(word: str) -> None:
        heard.append(word)
        if heard == ["started"] * 2:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()

    with pytest.raises(Interrupted, match="SIGTERM"):
        run_in_processes(["a", "b"], work, hear)
    assert heard == ["started", "started", "SIGTERM", "SIGTERM"]


@pytest.mark.usefixtures("two_threads")
def test_there_are_as_many_processes_as_threads() -> None:
    assert processes() == 2


def test_large_groups_are_cut_and_small_ones_shared_out() -> None:
    assert share_out([range(7)], 2) == [[list(range(7))]]
    assert share_out([range(9)], 2) == [[[0, 2, 4, 6, 8]], [[1, 3, 5, 7]]]
    groups = [range(5), range(10, 15), range(20, 25)]
    assert share_out(groups, 2) == [[[0, 1, 2, 3, 4], [20, 21, 22, 23, 24]], [[10, 11, 12, 13, 14]]]
    assert share_out(groups, 1) == [[list(group) for group in groups]]


def weights(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path / "checkpoints" / "best.ckpt")["state_dict"]
    return state


@pytest.mark.usefixtures("two_threads")
def test_runs_are_the_same_to_the_bit_in_one_process_and_in_two(tmp_path: Path) -> None:
    line = ("hydra/launcher=vectorized", "optimizer.lr=0.1,0.2", "seed=0,1,2,3")
    status, two = sweep(tmp_path / "two", *line)
    torch.set_num_threads(1)
    assert (status, sweep(tmp_path / "one", *line)[0]) == (0, 0)
    for name, path in two.items():
        other = tmp_path / "one" / path.parent.name / name
        a, b = (json.loads((p / "result.json").read_text()) for p in (path, other))
        assert (a["ensemble_size"], b["ensemble_size"]) == (4, 8)
        assert a["metrics"] == b["metrics"]
        for key, tensor in weights(path).items():
            assert torch.equal(tensor, weights(other)[key]), key


@pytest.mark.usefixtures("two_threads")
def test_where_the_system_does_not_fork_the_ensembles_train_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probeta.vectorized.processes.get_all_start_methods", lambda: ["spawn"])
    assert processes() == 1
    monkeypatch.undo()
    monkeypatch.setattr("sys.platform", "darwin")
    assert processes() == 1
