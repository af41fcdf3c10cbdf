"""Data-parallel training on several processes of one machine.

Lightning's own launcher runs `sys.argv` again for every rank, which in a Hydra program means a second
run in the same directory, and a second multirun behind `-m`. Here the ranks are spawned with the
composed configuration instead, and Lightning is told that its processes are there already.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import torch.multiprocessing as mp
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from probeta.runs.directory import RunDirectory
from probeta.runs.record import Outcome
from probeta.runs.signals import Interrupted, Signals


@dataclass(frozen=True)
class Rank:
    """A process's place among the `count` that share a run. `Rank()` is a run's only process."""

    number: int = 0
    count: int = 1
    port: int = 0
    """Where the first listens for the others."""


class Environment(LightningEnvironment):
    """A `Rank` as Lightning reads it: nothing is read from the environment's variables, in which a torchrun, a SLURM
    step or another run may have left a rank of theirs, and no process is started but by us.
    """

    def __init__(self, rank: Rank) -> None:
        super().__init__()
        self._rank = rank
        self.set_world_size(rank.count)
        self.set_global_rank(rank.number)

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        return self._rank.port

    def local_rank(self) -> int:
        return self._rank.number

    def node_rank(self) -> int:
        return 0

    def teardown(self) -> None:
        pass


Train = Callable[..., Outcome]
"""`train(config, run, signals, multirun=…, rank=…)`: a module's function, for spawned processes find it by name."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def spawn(train: Train, config: DictConfig, run: RunDirectory, signals: Signals, count: int, multirun: bool) -> Outcome:
    """Carry out `train` on `count` processes; returns what the first measured.

    A signal is passed on to every rank. Raises what a rank raised, `Interrupted` after a signal, and `RuntimeError`
    where a rank was killed.
    """
    queue = mp.get_context("spawn").SimpleQueue()
    arguments = (train, OmegaConf.to_yaml(config), str(run.path), count, free_port(), multirun, queue)
    context = mp.spawn(worker, args=arguments, nprocs=count, join=False)
    assert context is not None
    told: Outcome | Exception | None = None
    try:
        with signals.patiently():
            asked = False
            while not context.join(timeout=0.2, grace_period=5):
                # Read at once: what is longer than a pipe holds its writer until then.
                told = told if queue.empty() else queue.get()
                if signals.received is not None and not asked:
                    asked = True
                    for pid in context.pids():
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGTERM)
    except (ProcessRaisedException, ProcessExitedException) as error:
        if signals.received is not None:
            raise Interrupted(signals.received) from None
        told = told if queue.empty() else queue.get()
        if isinstance(told, Exception):
            raise told from None
        last = str(error).strip().splitlines()[-1]
        raise RuntimeError(f"a process of the data-parallel run failed: {last}") from error
    finally:
        for process in context.processes:
            if process.is_alive():
                process.kill()
    told = queue.get() if told is None else told
    assert isinstance(told, Outcome)
    return told


def worker(
    number: int,
    train: Train,
    text: str,
    path: str,
    count: int,
    port: int,
    multirun: bool,
    queue: SimpleQueue[Any],
) -> None:
    """One rank: the same `train` as a single process, on its rows of every batch."""
    logging.basicConfig(level=logging.INFO if number == 0 else logging.ERROR, format="%(message)s")
    config = OmegaConf.create(text)
    assert isinstance(config, DictConfig)
    rank = Rank(number, count, port)
    # A terminal's signal comes twice, from it and from the process that started us.
    with Signals(repeats=False) as signals:
        try:
            with signals.at_once():
                outcome = train(config, RunDirectory(Path(path)), signals, multirun=multirun, rank=rank)
        except Interrupted as interruption:
            raise SystemExit(interruption.exit_code) from None
        except Exception as error:
            with suppress(Exception):
                pickle.loads(pickle.dumps(error))
                queue.put(error)
            raise
    if number == 0:
        queue.put(outcome)
