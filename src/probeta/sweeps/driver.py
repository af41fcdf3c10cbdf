"""The process that carries out a sweep, as its workers know it: whether it lives, and whether it asks them to end."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from probeta.runs.signals import Signals, ask

LOOK_SECONDS = 0.5
END = "end"
"""What the stop file holds where jobs that run are to end too; otherwise only none is to start."""


@dataclass(frozen=True)
class Driver:
    """A process, by its number and where that number means it (host and namespace)."""

    pid: int
    place: str
    folder: str

    @classmethod
    def here(cls) -> Driver:
        return cls(os.getpid(), _place(), os.getcwd())

    def is_this_process(self) -> bool:
        return self.pid == os.getpid() and self.place == _place()

    def is_gone(self) -> bool:
        """Whether it has ended; `False` on another machine, where nobody can tell."""
        if self.place != _place():
            return False
        with suppress(OSError, IndexError):
            # A zombie has a number too, until its parent has asked how it ended.
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


def _place() -> str:
    with suppress(OSError):
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()


class Attendant(threading.Thread):
    """Looks, beside a worker's jobs, whether the driver is gone or asks them to end.

    A job is asked as by SIGTERM, so that it leaves its record and its checkpoint. A worker without a job and without
    a driver exits: what waits for work that nobody will send would keep its memory for minutes.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(name="driver's end", daemon=True)
        self.driver = driver
        self.stop: Path | None = None
        """Of the job that runs; `None` between jobs."""

    def run(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            stop, gone = self.stop, self.driver.is_gone()
            if stop is None and gone:
                os._exit(128 + signal.SIGTERM)
            if stop is not None and (gone or asks_to_end(stop)) and Signals.current is not None:
                ask(signal.SIGTERM)


@cache
def get_attendant(driver: Driver) -> Attendant:
    """The worker's attendant, started with its first job; from then on the terminal's Ctrl-C is for jobs only."""
    thread = Attendant(driver)
    thread.start()
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return thread


@contextmanager
def work_for(driver: Driver, stop: str) -> Iterator[None]:
    """A job in a worker of `driver`, in the folder that relative paths mean."""
    thread = get_attendant(driver)
    with suppress(OSError):
        os.chdir(driver.folder)
    thread.stop = Path(stop)
    try:
        yield
    finally:
        thread.stop = None


def asks_to_end(stop: Path) -> bool:
    try:
        return stop.read_text() == END
    except OSError:
        return False
