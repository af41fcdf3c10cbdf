"""The table of a sweep that runs, at a terminal: drawn anew below whatever its jobs print."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleDimensions
from rich.table import Table

from probeta.runs.terminal import plain_console
from probeta.sweeps.progress import GroupProgress, Progress, describe_duration, sum_left

if TYPE_CHECKING:
    from probeta.report.language import Language

SECONDS = 0.5
"""Between two pictures; also what a sweep takes at least before there is one."""

QUIET = 0.3
"""Seconds after which what was printed without a line's end is shown: a question, a debugger's prompt."""


@contextmanager
def show(progress: Progress, language: Language) -> Iterator[None]:
    """Show `progress` while the body runs. The output has to be a terminal."""
    diversion = divert()
    try:
        diversion.begin(progress, language)
        yield
    finally:
        diversion.end()


@cache
def divert() -> Diversion:
    """That of this process: workers that outlive a sweep go on printing into it."""
    return Diversion()


class Diversion(threading.Thread):
    """Standard output (and error, where that is a terminal too) of this process and of those that it starts, as a pipe.

    A thread prints its lines above the table, whoever wrote them: Python, a library in C, a worker. The pipe stays for
    as long as the process does, and is read; the descriptors are the terminal's again when the table ends.
    """

    def __init__(self) -> None:
        super().__init__(name="live table", daemon=True)
        self.terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        self.source, self.sink = os.pipe()
        self.woken, self.bell = os.pipe()
        self.kept: dict[int, int] = {}
        self.progress: Progress | None = None
        self.over = threading.Event()
        self.partial = b""
        self.start()

    # --- of the thread that runs the sweep -----------------------------------------------------------

    def begin(self, progress: Progress, language: Language) -> None:
        flush()
        # Workers that are started meanwhile would keep their lines until they have many.
        self.unbuffered = os.environ.setdefault("PYTHONUNBUFFERED", "live")
        self.kept = {number: os.dup(number) for number in (1, 2) if os.isatty(number)}
        for number in self.kept:
            os.dup2(self.sink, number)
        self.language, self.over = language, threading.Event()
        self.progress = progress
        os.write(self.bell, b"!")

    def end(self) -> None:
        flush()
        for number, before in self.kept.items():
            os.dup2(before, number)
            os.close(before)
        if self.unbuffered == "live":
            del os.environ["PYTHONUNBUFFERED"]
        self.progress = None
        os.write(self.bell, b"!")
        self.over.wait(5)

    # --- of the thread that draws --------------------------------------------------------------------

    def run(self) -> None:
        while True:
            with suppress(Exception):  # a terminal that is gone, a broken picture: the pipe is read all the same
                if (progress := self.progress) is None:
                    self.wait(None, plain_console(file=self.terminal))
                else:
                    self.draw(progress)

    def draw(self, progress: Progress) -> None:
        """Until the sweep says that it has ended."""
        from rich.live import Live

        console = plain_console(file=self.terminal, force_terminal=True)
        table = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        try:
            while True:
                self.wait(SECONDS, console)
                if self.progress is not progress:
                    return
                progress.look()
                width, height = os.get_terminal_size(self.terminal.fileno())
                console.size = ConsoleDimensions(width, height)
                table.update(draw_table(progress, self.language, height - 6))
                if not table.is_started:
                    table.start()
                    console.show_cursor(True)  # whoever is killed leaves a terminal that has one
                table.refresh()
        finally:
            with suppress(Exception):
                while self.read(console):
                    pass
                self.put_partial(console)
            with suppress(Exception):
                table.stop()
            self.over.set()

    def wait(self, seconds: float | None, console: Console) -> None:
        """Pass on what is printed, for so long or until the bell rings."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            patience = left if not self.partial else QUIET if left is None else min(left, QUIET)
            ready = select.select([self.source, self.woken], [], [], patience)[0]
            if self.source in ready:
                self.read(console)
            elif self.partial:
                self.put_partial(console)
            if self.woken in ready:
                os.read(self.woken, 1)
                return
            if end is not None and time.monotonic() >= end:
                return

    def read(self, console: Console) -> bool:
        """Pass on what is in the pipe; `False` where there is nothing."""
        if not select.select([self.source], [], [], 0)[0]:
            return False
        *lines, self.partial = (self.partial + os.read(self.source, 65536)).split(b"\n")
        for line in lines:
            self.put(line, console)
        return True

    def put_partial(self, console: Console) -> None:
        if self.partial:
            line, self.partial = self.partial, b""
            self.put(line, console)

    @staticmethod
    def put(line: bytes, console: Console) -> None:
        """One line, above the table where there is one; of a bar that is drawn over itself the last state."""
        from rich.text import Text

        text = line.decode(errors="replace").rstrip("\r").rpartition("\r")[2]
        console.print(Text.from_ansi(text), soft_wrap=True, highlight=False)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()


def draw_table(progress: Progress, language: Language, height: int = 20) -> Table:
    """A row for each variant, those that run first where there are more than `height`, and one for all."""
    say, rows, labels = language.say, progress.groups(), progress.labels()
    shown = rows
    if len(rows) > max(1, height):
        order = sorted(range(len(rows)), key=lambda i: (not rows[i].running, not rows[i].failed, i))
        shown = [rows[i] for i in sorted(order[: max(1, height - 1)])]
    table = Table(header_style="bold")
    table.add_column("", no_wrap=True)
    for head in (say("done"), say("running"), say("epoch"), say("metric"), say("failed"), say("time left")):
        table.add_column(head, justify="right", no_wrap=True)
    for row in shown:
        table.add_row(shorten(labels[row.name] or say("all")), *list_cells(row, progress, language))
    if len(shown) < len(rows):
        table.add_row(say("… and {n} more", n=len(rows) - len(shown)))
    if len(rows) > 1:
        whole = GroupProgress("", left=sum_left(rows))
        for row in rows:
            for name in ("jobs", "done", "failed", "running"):
                setattr(whole, name, getattr(whole, name) + getattr(row, name))
        table.add_section()
        table.add_row(say("all"), *list_cells(whole, progress, language))
    return table


def list_cells(row: GroupProgress, progress: Progress, language: Language) -> list[str]:
    epoch = f"{sum(row.epochs) / len(row.epochs):.0f}" if row.epochs else ""
    metric = progress.metric(row)
    return [
        f"{row.done}/{row.jobs}",
        str(row.running or ""),
        f"{epoch}/{row.of}" if epoch and row.of else epoch,
        "" if metric is None else f"{metric[0]} {language.number(metric[1])}",
        str(row.failed or ""),
        "" if row.left is None else describe_duration(row.left, language),
    ]


def shorten(name: str, most: int = 40) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
