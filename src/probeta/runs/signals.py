"""What asks a process to end, and how a run answers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""A terminal, `kill` or a scheduler, a closed terminal, a scheduler's warning before its time limit."""
ENDING = tuple(number for name in NAMES if (number := getattr(signal, name, None)) is not None)
"""Those of them that the system has: Windows lacks the last two."""


class Interrupted(BaseException):
    """A signal ended the run or the sweep, and what is to be kept of it is written."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    def __str__(self) -> str:
        return signal.Signals(self.signum).name

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that the signal ended."""
        return 128 + self.signum


class Signals:
    """The signals of `ENDING` as a request to end, remembered in `received` and answered where the code says.

    Inside `at_once` a signal raises `Interrupted` where the code stands; inside `patiently` the first one waits for
    `check`, and the second raises, for those who do not want to wait; elsewhere none raises.
    A process that is started with SIGHUP ignored (`nohup`) goes on ignoring it.

    Args:
        repeats: whether a signal after the first counts. Not in a process that receives one keystroke twice: from
            the terminal, and from the process that started it.
    """

    current: ClassVar[Signals | None] = None
    """The innermost of this process: a signal's handler is the process's too."""

    def __init__(self, *, repeats: bool = True) -> None:
        self.received: int | None = None
        self.repeats = repeats
        self._count = 0
        self._borne: float = float("inf")
        self._previous: dict[int, Any] = {}
        self._outer: Signals | None = None

    def __enter__(self) -> Signals:
        for signum in ENDING:
            if signum.name == "SIGHUP" and signal.getsignal(signum) == signal.SIG_IGN:
                continue
            try:
                self._previous[signum] = signal.signal(signum, self._handle)
            except ValueError:
                break  # not the main thread: only `ask` is heard
        self._outer, Signals.current = Signals.current, self
        return self

    def __exit__(self, *_: object) -> None:
        Signals.current = self._outer
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def take_back(self) -> None:
        """Put the handlers in place again, over those that a library has put over them."""
        for signum in self._previous:
            signal.signal(signum, self._handle)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.received is not None and not self.repeats:
            return
        self._count += 1
        self.received = self.received or signum
        if self._count > self._borne:
            raise Interrupted(signum)

    def check(self) -> None:
        if self.received is not None:
            raise Interrupted(self.received)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, the first signal raises `Interrupted`."""
        with self._bearing(0):
            self.check()
            yield

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """Inside, the first signal waits for `check`, which is also made at the end."""
        with self._bearing(1):
            yield
            self.check()

    @contextmanager
    def _bearing(self, signals: int) -> Iterator[None]:
        before, self._borne = self._borne, signals
        try:
            yield
        finally:
            self._borne = before


def ask(signum: int) -> None:
    """Ask what this process is doing to end, as the signal would; once, however often it is asked."""
    if Signals.current is None:
        os.kill(os.getpid(), signum)
    elif Signals.current.received is None:
        if signal.getsignal(signum) == Signals.current._handle:
            os.kill(os.getpid(), signum)
        else:
            Signals.current.received = signum
