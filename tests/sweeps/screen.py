"""A terminal for tests: what a program leaves on it, line by line."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.sweeps.command import environment

CODE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


def render(table: Table) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def run_at_terminal(
    arguments: Sequence[str], folder: Path, press: Callable[[str], bytes] = lambda text: b"", columns: int = 120
) -> tuple[int, str]:
    """Exit status of a program whose terminal this is, and all that it wrote. `press` sees that, and types."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env={**environment(), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        written += more
        if keys := press(written.decode(errors="replace")):
            os.write(terminal, keys)
    os.close(terminal)
    return process.wait(), written.decode(errors="replace")


def show(written: str) -> list[str]:
    """The lines that a terminal of any height shows after `written`."""
    lines, row, column = [""], 0, 0
    for code, letter, back, down, text in CODE.findall(written):
        if back:
            column = 0
        elif down:
            row += 1
            lines += [""] * (row == len(lines))
        elif letter == "A":
            row = max(0, row - int(code or 1))
        elif letter == "K":
            lines[row] = ""
        elif text:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + text + line[column + len(text) :]
            column += len(text)
    return lines
