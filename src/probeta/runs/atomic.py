"""Files that are there in full or not at all: everything that is written into a run or a sweep is written here.

A directory may come from elsewhere, with links under the names that a run writes. What is written is therefore a
file of a fresh name, opened with O_EXCL so that no link is followed, renamed to its own when it is whole: a rename
replaces a link and leaves what it points to.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

NO_FOLLOW, BINARY = getattr(os, "O_NOFOLLOW", 0), getattr(os, "O_BINARY", 0)
"""Flags that only some systems have: the first one everywhere but on Windows, the second one only there."""


@contextmanager
def name_failures(path: Path) -> Iterator[None]:
    """An `OSError` inside (no space left, a file too large) names `path`: one of `write` and `flush` names no file.

    What writes through a library (torch's archives) may raise that library's error instead, with its cause lost:
    then the `OSError` that it met on the way is raised.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except RuntimeError as error:
        met = error.__context__
        while met is not None and not isinstance(met, OSError):
            met = met.__context__
        if met is None or met.errno is None:
            raise
        raise OSError(met.errno, met.strerror, str(path)) from error


@contextmanager
def atomic(path: Path, sync: bool = True) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` where the block ends well, and is removed where it does not.

    It gets the permissions that the user's umask leaves; folders on the way are made. `sync=False` does not wait for
    the disk: for what can be written again, where a thousand tiny runs would do little else.
    """
    with name_failures(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        yield from _written(path, sync)


def _written(path: Path, sync: bool) -> Iterator[BinaryIO]:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, 0o666), "w+b") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, content: str | bytes, sync: bool = True) -> None:
    """`atomic` for what is held in memory; text is written as UTF-8."""
    with atomic(path, sync) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def append(path: Path, content: str) -> None:
    """Add to the end of a file that is there already; `OSError` where `path` is a link."""
    flags = os.O_WRONLY | os.O_APPEND | NO_FOLLOW | BINARY
    with name_failures(path), os.fdopen(os.open(path, flags), "a", newline="") as file:
        file.write(content)
