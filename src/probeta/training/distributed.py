"""Data-parallel training on several processes of one machine.

Lightning's own launcher runs `sys.argv` again for every rank, which in a Hydra program means a second
run in the same directory, and a second multirun behind `-m`. Here the ranks are spawned with the
composed configuration instead, and Lightning is told that its processes are there already.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import torch.multiprocessing as mp
from omegaconf import DictConfig, OmegaConf
from torch.multiprocessing.spawn import ProcessRaisedException

from probeta.runs.directory import RunDirectory
from probeta.runs.record import Outcome
from probeta.runs.signals import Interrupted, Signals

Train = Callable[..., Outcome]
"""`train(config, run, signals, multirun=…)`: a module's function, for spawned processes find it by its name."""

RANK = "LOCAL_RANK"
"""Lightning's variable: where it is set, the processes of a data-parallel run were started by somebody else."""


def rank() -> int:
    return int(os.environ.get(RANK, 0))


def processes(tree: Mapping[str, Any]) -> int:
    """How many processes this process is to start: 1 where the run has only one, or is itself one of them."""
    trainer = tree["trainer"]
    if RANK in os.environ or "ddp" not in str(trainer.get("strategy", "")):
        return 1
    return int(trainer.get("devices", 1)) if str(trainer.get("devices", 1)).isdigit() else 1


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def spawn(train: Train, config: DictConfig, run: RunDirectory, signals: Signals, count: int, multirun: bool) -> Outcome:
    """Carry out `train` on `count` processes; returns what rank 0 measured. Signals are passed on to every rank."""
    queue = mp.get_context("spawn").SimpleQueue()
    text = OmegaConf.to_yaml(config)
    context = mp.spawn(
        worker, args=(train, text, str(run.path), count, free_port(), multirun, queue), nprocs=count, join=False
    )
    assert context is not None
    forwarded = False
    try:
        while not context.join(timeout=0.2):
            if signals.received is not None and not forwarded:
                forwarded = True
                for pid in context.pids():
                    os.kill(pid, signal.SIGTERM)
    except ProcessRaisedException as error:
        if "Interrupted" in str(error) and signals.received is not None:
            raise Interrupted(signals.received) from None
        raise RuntimeError(
            f"a process of the data-parallel run failed: {str(error).strip().splitlines()[-1]}"
        ) from error
    signals.check()
    outcome = queue.get()
    assert isinstance(outcome, Outcome)
    return outcome


def worker(
    local_rank: int,
    train: Train,
    text: str,
    path: str,
    count: int,
    port: int,
    multirun: bool,
    queue: SimpleQueue[Outcome],
) -> None:
    """One rank: the same `train` as a single process, on its rows of every batch."""
    os.environ |= {
        RANK: str(local_rank),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    logging.basicConfig(level=logging.INFO if local_rank == 0 else logging.ERROR, format="%(message)s")
    config = OmegaConf.create(text)
    assert isinstance(config, DictConfig)
    with Signals() as signals:
        outcome = train(config, RunDirectory(Path(path)), signals, multirun=multirun)
    if local_rank == 0:
        queue.put(outcome)
