"""Two line-aligned text files, plain or gzip: read as a stream, refused with file and line."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import IO

from probeta.errors import DataError


def find(root: Path, stem: str, language: str) -> Path | None:
    """`root/stem.language`, or the same with `.gz`; `None` where there is neither."""
    plain = root / f"{stem}.{language}"
    return next((path for path in (plain, plain.with_name(plain.name + ".gz")) if path.is_file()), None)


def find_pair(root: Path, stem: str, source: str, target: str) -> tuple[Path, Path] | None:
    """Both files of a split, or `None` where there is neither; only one of the two is an error."""
    paths = find(root, stem, source), find(root, stem, target)
    if paths[0] and paths[1]:
        return paths[0], paths[1]
    if paths[0] or paths[1]:
        here, missing = paths[0] or paths[1], target if paths[0] else source
        raise DataError(f"{here} has no partner: {root / stem}.{missing} (or .gz) does not exist")
    return None


def read_lines(path: Path) -> Iterator[str]:
    """Lines without surrounding white space; only a line feed ends one, as `wc -l` counts."""
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, 1):
                line = raw.decode("utf-8").strip()
                yield line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line {number}: not valid UTF-8 (byte {error.start + 1}: {error.reason})") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}, after line {number}: not a whole gzip file ({error})") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None


def read_pairs(source: Path, target: Path, limit: int | None = None) -> Iterator[tuple[str, str]]:
    """The first `limit` pairs of lines, blank ones included. Unequal line counts are an error."""
    pairs = zip_longest(read_lines(source), read_lines(target))
    for number, (a, b) in enumerate(pairs, 1):
        if a is None or b is None:
            longer = source if b is None else target
            counts = {longer: number + sum(1 for _ in pairs), (target if b is None else source): number - 1}
            told = " and ".join(f"{path} {counts[path]} lines" for path in (source, target))
            raise DataError(f"unequal line counts: {told}: line {number} of {longer} has no partner")
        yield a, b
        if number == limit:
            return


def sha256(paths: Iterable[Path]) -> str:
    """One hash of the content of all files, in their order."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
