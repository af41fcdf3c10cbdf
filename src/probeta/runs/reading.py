"""How files of runs and sweeps are read: what is missing is told from what is damaged, and damage names its file.

A power cut, a full disk or a hand leaves files empty, cut, full of zero bytes or with something else in them. A reader
here returns `None` where there is no file, and raises `Damaged` where there is one that is not what it should be; the
caller says what it does instead, or lets the message end the command.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from probeta.errors import RunDirectoryError
from probeta.runs.cells import parse_table

Kind = TypeVar("Kind", dict[str, Any], list[Any])

NAMES = {dict: "a mapping", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}
CUT = "its last line is cut"


class Damaged(RunDirectoryError):
    """A file is there, and is not what it should be."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}")
        self.path, self.why = path, why


def note(damage: list[Damaged], found: Damaged) -> None:
    """Add `found` to `damage`, where its file is not named there yet."""
    if all(found.path != known.path for known in damage):
        damage.append(found)


def read_text(path: Path, blank: bool = False) -> str | None:
    """The text of a file that cannot rightly be empty, nor (unless `blank`) hold nothing but white space; `None` where
    there is none.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if path.is_symlink():
            raise Damaged(path, "it is a link to nothing") from None
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise Damaged(path, (error.strerror or str(error)).lower()) from None
    if not data if blank else not data.strip():
        raise Damaged(path, "it is empty")
    if b"\0" in data:
        raise Damaged(path, "it holds zero bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Damaged(path, f"byte {error.start} is no UTF-8") from None


def read_json(path: Path, kind: type[Kind]) -> Kind | None:
    """What a JSON file holds, which is to be a `kind`; `None` where there is none."""
    text = read_text(path)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Damaged(path, f"it cannot be parsed as JSON ({error})") from None
    if not isinstance(content, kind):
        raise Damaged(path, f"it holds {kind_of(content)} where {NAMES[kind]} is expected")
    return content


def read_rows(path: Path, kind: Mapping[str, type]) -> list[dict[str, Any]] | None:
    """What a JSON file holds, which is to be a list of mappings with the keys of `kind`; `None` where there is none."""
    rows = read_json(path, list)
    for number, row in enumerate(rows or (), 1):
        if not isinstance(row, dict):
            raise Damaged(path, f"entry {number} is {kind_of(row)} where a mapping is expected")
        for key, expected in kind.items():
            if not isinstance(row.get(key), expected):
                raise Damaged(path, f"{key} of entry {number} is {kind_of(row.get(key))}, not {NAMES[expected]}")
    return rows


def read_table(path: Path, needed: Collection[str] = (), growing: bool = False) -> list[list[str]] | None:
    """The rows of a CSV file, the first of which names the columns, `needed` among them; `None` where there is no file.

    Args:
        growing: whether a row may be in the middle of being written: then it is left out, and damages nothing.
    """
    text = read_text(path)
    if text is None:
        return None
    if not text.endswith("\n") and not growing:
        raise Damaged(path, CUT)
    text = text[: text.rfind("\n") + 1]
    try:
        names, *rows = parse_table(text) or [[]]
    except csv.Error as error:
        raise Damaged(path, f"it cannot be parsed as CSV ({error})") from None
    if missing := [name for name in needed if name not in names]:
        raise Damaged(path, f"its first line names no column {missing[0]}")
    if other := next((i for i, row in enumerate(rows, 2) if len(row) != len(names)), None):
        raise Damaged(path, f"row {other} has another length than the first")
    return [names, *rows]


def read_raw(path: Path) -> Any:
    """What a YAML file says, `${…}` as it stands; `None` where there is none."""
    import yaml

    text = read_yaml(path)
    if text is None:
        return None
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Damaged(path, _yaml_reason(error)) from None


def read_lines(path: Path) -> list[str] | None:
    """The lines of overrides in a YAML file; `None` where there is none."""
    lines = read_raw(path)
    if lines is None and not path.exists():
        return None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Damaged(path, f"it holds {kind_of(lines)} where a list of overrides is expected")
    return lines


def read_yaml(path: Path) -> str | None:
    """The text of a YAML file, whose first half is often YAML too; `None` where there is none."""
    text = read_text(path)
    if text is not None and not text.endswith("\n"):
        raise Damaged(path, CUT)
    return text


def read_config(path: Path) -> DictConfig | None:
    """The configuration in a YAML file; `None` where there is none."""
    import yaml

    text = read_yaml(path)
    if text is None:
        return None
    try:
        config = OmegaConf.create(text)
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, RecursionError) as error:
        raise Damaged(path, _yaml_reason(error)) from None
    # Of a text that is a single word OmegaConf makes a key without a value.
    tree = OmegaConf.to_container(config)
    if not isinstance(config, DictConfig) or not isinstance(tree, dict) or all(v is None for v in tree.values()):
        raise Damaged(path, "it does not hold a configuration")
    return config


def check_database(path: Path) -> None:
    """`Damaged` where there is a file that is no whole SQLite database."""
    import sqlite3
    from contextlib import closing

    if not path.exists():
        return
    if not path.stat().st_size:
        raise Damaged(path, "it is empty")
    try:
        # Not read only: what a killed process left half done is rolled back.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=60, uri=True)) as database:
            [found] = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise Damaged(path, str(error)) from None
    if found != "ok":
        raise Damaged(path, " ".join(str(found).split()))


def check_kinds(path: Path, content: dict[str, Any], kinds: dict[str, type | tuple[type, ...]]) -> dict[str, Any]:
    """`content` of `path`, if each of its keys in `kinds` that is neither absent nor null is of its kind."""
    for key, kind in kinds.items():
        if (value := content.get(key)) is not None and not isinstance(value, kind):
            expected = NAMES[kind[0] if isinstance(kind, tuple) else kind]
            raise Damaged(path, f"{key} is {kind_of(value)} where {expected} is expected")
    return content


def kind_of(value: object) -> str:
    return "nothing" if value is None else NAMES.get(type(value), type(value).__name__)


def _yaml_reason(error: Exception) -> str:
    return f"it cannot be parsed as YAML ({' '.join(str(error).split())[:160]})"
