"""Runs divided among processes, one per core: a member's bits do not depend on the others in its ensemble, so each
process trains its share by itself.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

import torch

from probeta.nn.devices import available
from probeta.runs.signals import ENDING, Interrupted, Signals

FEWEST = 4
"""The fewest members that a piece of a group should have: a step of fewer costs about as much as a step of one."""

Member = TypeVar("Member")
Share = TypeVar("Share")
Work = Callable[[Share, Callable[[Any], None], Callable[[], None]], None]
"""`work(share, send, check)`: `send` sends to the parent, `check` raises `Interrupted` where it asks to stop."""


def processes() -> int:
    """As many as torch may use threads. One where there is an accelerator, which forked processes cannot share, and
    where the system does not fork, or not safely beside its own libraries' threads (macOS).
    """
    forks = "fork" in get_all_start_methods() and sys.platform != "darwin"
    return torch.get_num_threads() if forks and len(available()) == 1 else 1


def share_out(groups: Sequence[Sequence[Member]], count: int) -> list[list[list[Member]]]:
    """For each of at most `count` processes, pieces of groups: a group is cut into as many as have `FEWEST` members,
    and a piece goes to the process that has the fewest members so far.
    """
    shares: list[list[list[Member]]] = [[] for _ in range(count)]
    for group in groups:
        parts = max(1, min(count, len(group) // FEWEST))
        for part in range(parts):
            least = min(shares, key=lambda share: sum(map(len, share)))
            least.append(list(group[part::parts]))
    return [share for share in shares if share]


def run_in_processes(shares: Sequence[Share], work: Work[Share], receive: Callable[[Any], None]) -> None:
    """Carry out `work` on each share in a process of its own, with one thread; `receive` gets each message it sends.

    A signal is passed on as a request; a second one kills. Raises `Interrupted` then, what `work` raised
    in a process, or `BrokenProcessPool` where a process was killed, when the others have ended.
    """
    # Forked, a process has the jobs, and everything that has been imported, at once.
    context = get_context("fork")
    children: dict[Connection, Any] = {}
    raised: list[Exception] = []
    with Signals() as signals, signals.patiently():
        try:
            for share in shares:
                mine, theirs = context.Pipe()
                children[mine] = context.Process(target=_run_child, args=(work, share, theirs), daemon=True)
                children[mine].start()
                theirs.close()
            asked = False
            while children:
                for end in wait(list(children), timeout=0.2):
                    assert isinstance(end, Connection)
                    try:
                        message = end.recv()
                    except EOFError:
                        process = children.pop(end)
                        process.join()
                        if process.exitcode:
                            name = signal.Signals(-process.exitcode).name if process.exitcode < 0 else process.exitcode
                            raised.append(BrokenProcessPool(f"a process of the ensembles died ({name})"))
                        continue
                    if isinstance(message, Exception):
                        raised.append(message)
                    else:
                        receive(message)
                if signals.received and not asked:
                    asked = True
                    for end in children:
                        with suppress(OSError):
                            end.send(signals.received)
        finally:
            for process in children.values():
                process.kill()
    if raised:
        raise raised[0]


def _run_child(work: Work[Share], share: Share, end: Connection) -> None:
    parent = os.getppid()
    for signum in ENDING:
        # A terminal sends them to the whole group; only the parent decides.
        signal.signal(signum, signal.SIG_IGN)
    # More would need OpenMP's threads, which do not survive a fork.
    torch.set_num_threads(1)

    def check() -> None:
        if end.poll():
            raise Interrupted(end.recv())
        if os.getppid() != parent:
            raise Interrupted(signal.SIGTERM)

    try:
        work(share, end.send, check)
    except Interrupted:
        pass
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        end.send(error)
