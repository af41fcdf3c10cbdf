"""A file of sentences, translated as a stream that can be interrupted and goes on where it stopped.

While it is written, the output is called `<output>.partial`, and `<output>.progress.json` says how many
lines of which input by which run are in it, and how many bytes they take: what was half written when
the process died is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from probeta.data.aligned_files import read_lines
from probeta.errors import ConfigError, DataError, RunDirectoryError
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import RunDirectory

if TYPE_CHECKING:
    from probeta.inference.translator import TextTranslator

CHUNK = 2048
"""Lines that are sorted by length together, and that an interrupted command loses at most."""


def translate_file(translator: TextTranslator, run: str, values: Mapping[str, str], chunk: int = CHUNK) -> None:
    """`input` → `output`, a chunk of lines at a time; memory does not grow with the file."""
    source, target = Path(values["input"]), Path(values["output"])
    if not source.is_file():
        raise DataError(f"input={source} does not exist")
    if target.exists():
        raise ConfigError.value("output", target, "a file that does not exist yet")
    total = sum(1 for _ in read_lines(source))  # refuses invalid UTF-8 before any work is done
    job = {
        "input": hash_file(source),
        "weights": hash_file(RunDirectory.existing(run).best),
        "search": asdict(translator.decoding),
        "precision": translator.precision,
        "unknown": [translator.copy_unknown, dict(translator.lexicon or {})],
    }
    partial, progress = Path(f"{target}.partial"), Path(f"{target}.progress.json")
    done, size = resume_point(partial, progress, job)
    if done:
        print(f"{done:,} of {total:,} lines are there already: going on", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("ab") as out, progress_bar(total, done) as advance:
        out.truncate(size)
        lines = islice(read_lines(source), done, None)
        for texts in chunks(lines, chunk):
            out.write("".join(f"{line}\n" for line in translator(texts)).encode())
            out.flush()
            os.fsync(out.fileno())
            done += len(texts)
            write_atomic(progress, json.dumps({"job": job, "lines": done, "bytes": out.tell()}))
            advance(len(texts))
    partial.replace(target)
    progress.unlink(missing_ok=True)


def chunks(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    while texts := list(islice(lines, size)):
        yield texts


def hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def resume_point(partial: Path, progress: Path, job: Mapping[str, Any]) -> tuple[int, int]:
    """Lines and bytes that an earlier, interrupted command has left; (0, 0) where there was none."""
    if not partial.exists():
        return 0, 0
    try:
        left = json.loads(progress.read_text())
        lines, size = int(left["lines"]), int(left["bytes"])
    except FileNotFoundError:
        return 0, 0  # interrupted before its first lines were done
    except (ValueError, KeyError, TypeError):
        raise RunDirectoryError(f"{progress} cannot be parsed: delete it and {partial} to start again") from None
    if left["job"] != job or partial.stat().st_size < size:
        raise RunDirectoryError(
            f"{partial} is of another input, run or setting: finish that command, or delete it and {progress.name}"
        )
    return lines, size


@contextmanager
def progress_bar(total: int, done: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error (one line at the end where that is no terminal); yields what moves it on."""
    columns = (TextColumn("translating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total, completed=done)
        yield lambda lines: progress.advance(task, lines)
