"""Encoded corpora on disk, keyed by what they are made of: built once, by whichever job comes first."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from filelock import FileLock, Timeout

from probeta.data.corpus import CorpusSettings
from probeta.errors import DataError

FORMAT = 1
"""Raised when a built corpus would look different."""

log = logging.getLogger(__name__)


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/probeta/text`, usually `~/.cache/probeta/text`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "probeta" / "text"


def own_folder(cache: Path) -> TemporaryDirectory[str] | None:
    """A folder of this process's own where `cache` cannot be written, which is said; else `None`."""
    try:
        if not cache.is_absolute():
            raise OSError(errno.ENOENT, "there is no home")
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=cache):
            return None
    except OSError as error:
        log.warning("No cache of encoded text: %s cannot be written (%s).", cache, error.strerror or error)
        return TemporaryDirectory(prefix="probeta-text-")


def cache_key(content: str, settings: CorpusSettings) -> str:
    """Names a corpus by its content's hash, its settings and what else decides how it is encoded."""
    parts = {"format": FORMAT, "content": content, **asdict(settings)}
    if settings.tokens != "whitespace":
        parts["tokenizer"] = version(settings.tokens)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def build_once(folder: Path, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of `key`, built by `build(folder)` where it is not there yet.

    One job builds while the others wait at a lock; the folder gets its name when it is whole, so a
    killed build leaves nothing that looks finished.
    """
    done = folder / key
    if done.is_dir():
        return done
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{key}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("waiting for another job that encodes the same text")
            lock.acquire()
    except OSError as error:
        raise DataError(f"data.cache={folder} cannot be written ({error.strerror}): name another folder") from None
    try:
        if not done.is_dir():
            building = folder / f"{key}.building"
            shutil.rmtree(building, ignore_errors=True)  # of a build that was killed
            building.mkdir()
            try:
                build(building)
                building.rename(done)
            finally:
                shutil.rmtree(building, ignore_errors=True)
    finally:
        lock.release()
    return done
