"""How files of runs and sweeps are read: what is missing is told from what is damaged, and damage names its file.

A power cut, a full disk or a hand leaves files empty, cut, full of zero bytes or with something else in them. A reader
here returns `None` where there is no file, and raises `Damaged` where there is one that is not what it should be; the
caller says what it does instead, or lets the message end the command.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from probeta.errors import RunDirectoryError

Kind = TypeVar("Kind", dict[str, Any], list[Any])

NAMES = {dict: "a mapping", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}


class Damaged(RunDirectoryError):
    """A file is there, and is not what it should be."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}")
        self.path, self.why = path, why


def read_text(path: Path) -> str | None:
    """The text of a file that cannot rightly be empty; `None` where there is none."""
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
    if not data.strip():
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


def read_lines(path: Path) -> list[str] | None:
    """The lines of overrides in a YAML file; `None` where there is none."""
    import yaml

    text = read_text(path)
    if text is None:
        return None
    try:
        lines = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Damaged(path, _yaml_reason(error)) from None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Damaged(path, f"it holds {kind_of(lines)} where a list of overrides is expected")
    return lines


def read_config(path: Path) -> DictConfig | None:
    """The configuration in a YAML file; `None` where there is none."""
    import yaml

    text = read_text(path)
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
