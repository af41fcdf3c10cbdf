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
from probeta.runs.atomic import write_atomic

FORMAT = 3
"""Raised when a built corpus would look different."""

HASHES = "hashes.json"
BLOCK, BLOCKS = 1 << 16, 64
"""Bytes of a block, and how many of a file are read to check it: all of a file up to 4 MiB, else spread evenly."""

log = logging.getLogger(__name__)


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/probeta/text`, usually `~/.cache/probeta/text`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "probeta" / "text"


def make_own_folder(cache: Path) -> TemporaryDirectory[str] | None:
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


def is_whole(folder: Path) -> bool:
    """Whether `folder` is there and its files are those that were built: a crash may leave zeros in a renamed file."""
    try:
        recorded = json.loads((folder / HASHES).read_text(encoding="utf-8"))["sampled"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(recorded == hashes(folder))


def verify(folder: Path) -> None:
    """Read the files in `folder`, which `is_whole` accepted, to the last byte; `DataError` names a damaged one."""
    recorded = json.loads((folder / HASHES).read_text(encoding="utf-8"))["whole"]
    for name, found in hashes(folder, blocks=None).items():
        if found != recorded.get(name):
            raise DataError(f"{folder / name} is damaged: remove {folder}, and the text is encoded again")


def hashes(folder: Path, blocks: int | None = BLOCKS) -> dict[str, list[int | str]]:
    """Size and hash of so many sampled blocks (`None`: of all) of every file in `folder`, by its name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != HASHES)
    return {str(path.relative_to(folder)): [path.stat().st_size, hash_blocks(path, blocks)] for path in files}


def hash_blocks(path: Path, blocks: int | None = BLOCKS) -> str:
    """BLAKE2b of up to so many blocks of `path`, the first and the last among them; `None`: of all."""
    size = path.stat().st_size
    last = max(0, -(-size // BLOCK) - 1)
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        spread = range(last + 1) if blocks is None else sorted({round(i * last / (blocks - 1)) for i in range(blocks)})
        for block in spread:
            stream.seek(block * BLOCK)
            digest.update(stream.read(BLOCK))
    return digest.hexdigest()


def build_once(folder: Path, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of `key`, built by `build(folder)` where it is not there yet.

    One job builds while the others wait at a lock; the folder gets its name when it is whole, so a
    killed build leaves nothing that looks finished.
    """
    done = folder / key
    if is_whole(done):
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
        if not is_whole(done):
            if done.is_dir():
                log.warning("The cached text in %s is damaged: it is encoded again.", done)
                shutil.rmtree(done)
            building = folder / f"{key}.building"
            shutil.rmtree(building, ignore_errors=True)  # of a build that was killed
            building.mkdir()
            try:
                build(building)
                kept = {"sampled": hashes(building), "whole": hashes(building, blocks=None)}
                write_atomic(building / HASHES, json.dumps(kept), sync=False)
                building.rename(done)
            finally:
                shutil.rmtree(building, ignore_errors=True)
    finally:
        lock.release()
    return done
