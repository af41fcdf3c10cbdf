"""JSON schemas of the YAML files, by which editors complete and check them: `docs/schema/<name>.json`.

`config` is that of files for the whole configuration (`# @package _global_`), the others are each a group's. Like the
checks of a run they are the constructors' signatures: keys of a class that is not known here are not looked at.
"""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from docs.options import CONF, GROUPS, Option, list_options
from probeta.commands.keys import describe_tree
from probeta.config.keys import Key

Schema = dict[str, Any]

DEFAULTS: Schema = {"type": "array", "description": "options of other groups, and where this file's own keys stand"}
REFERENCE: Schema = {"type": "string", "pattern": r"\$\{.*\}|^\?\?\?$", "description": "another key's value: ${KEY}"}
LOGGING: Schema = {
    "type": "object",
    "description": "as logging.config.dictConfig takes it",
    "properties": {name: {} for name in ("version", "root", "disable_existing_loggers")}
    | {name: {"type": "object"} for name in ("formatters", "handlers", "loggers", "filters")},
    "additionalProperties": False,
}
NAMED = ("callbacks", "logger")
"""Groups whose keys are names, each of a node."""
SIMPLE: Mapping[Any, str] = {float: "number", int: "integer", bool: "boolean", str: "string", type(None): "null"}


class Places:
    """What stands where: place → class (`` where none is named) → argument → what is told of it."""

    def __init__(self, options: Iterable[Sequence[Key]]) -> None:
        self.known: dict[str, dict[str, dict[str, Key]]] = defaultdict(lambda: defaultdict(dict))
        for keys in options:
            classes: dict[str, str] = {}
            for key in keys:
                parent, _, name = key.path.rpartition(".")
                if key.type == "a node with a _target_":
                    classes[key.path] = key.value
                    self.known[key.path][key.value]  # a class without arguments is one, too
                self.known[parent][classes.get(parent, "")][name] = key

    def arguments(self, place: str, keys: Mapping[str, Key]) -> Schema:
        below = {name: f"{place}.{name}".lstrip(".") for name in keys}
        return {
            name: self.node(below[name], key) if below[name] in self.known else value(key) for name, key in keys.items()
        }

    def node(self, place: str, key: Key | None = None, extra: Schema | None = None) -> Schema:
        """A node: one of the known classes with its arguments, any other class, or arguments of whichever is chosen."""
        classes = dict(self.known[place])
        closed = {"additionalProperties": False}
        together = self.arguments(place, {name: key for keys in classes.values() for name, key in keys.items()})
        said = {"description": key.meaning} if key and key.meaning else {}
        together |= extra or {}
        if set(classes) == {""}:
            return {**said, "type": ["object", "null"], "properties": together, **closed}
        own = {
            "_target_": {"type": "string", "examples": sorted(filter(None, classes))},
            "_partial_": {"type": "boolean"},
        }
        cases = [
            {
                "if": {"properties": {"_target_": {"const": target}}},
                "then": {"properties": {**own, **self.arguments(place, keys), **(extra or {})}, **closed},
            }
            for target, keys in classes.items()
            if target
        ]
        return {
            **said,
            "type": ["object", "null", "string"],
            "pattern": REFERENCE["pattern"],
            "if": {"type": "object", "required": ["_target_"]},
            "then": {"allOf": cases},
            "else": {"properties": together, **closed},
        }

    def names(self, group: str, extra: Schema | None = None) -> Schema:
        """A group of named nodes."""
        return {
            "type": ["object", "null"],
            "properties": {name: self.node(f"{group}.{name}", key) for name, key in self.known[group][""].items()}
            | (extra or {}),
            "additionalProperties": {"type": ["object", "null"], "required": ["_target_"]},
        }


def read_places() -> Places:
    """Of the options that ship."""
    files = [option for group in GROUPS for option in list_options(group)]
    primary = [Option(CONF / f"{name}.yaml") for name in ("train", "probe")]
    [study] = [describe_tree({"study": {"search": {"seeds": "1"}}})]
    return Places([*(option.keys for option in (*primary, *files)), study])


def make_schemas() -> dict[str, Schema]:
    """Name → schema."""
    places = read_places()
    defaults = {"defaults": DEFAULTS}
    root = {key: value for key, value in places.known[""][""].items() if key not in GROUPS}
    config = {
        "type": "object",
        "properties": {
            **defaults,
            "hydra": {"type": "object", "description": "Hydra's own keys"},
            **places.arguments("", root),
            **{group: places.names(group) if group in NAMED else places.node(group) for group in GROUPS},
        },
        "additionalProperties": False,
    }
    groups = {g: places.names(g, defaults) if g in NAMED else places.node(g, extra=defaults) for g in GROUPS}
    return {"config": config, "logging": LOGGING, **groups}


def value(key: Key) -> Schema:
    """The schema of a key's value; the value may always be another key's."""
    said = {"description": key.meaning} if key.meaning else {}
    kind = of_type(key.hint)
    return {**said, **({"anyOf": [kind, REFERENCE]} if kind else {})}


def of_type(hint: Any) -> Schema:
    """As `config.signatures.fits` decides it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    if origin in (Union, types.UnionType):
        kinds = [of_type(kind) for kind in arguments]
        return {"anyOf": kinds} if all(kinds) else {}
    if origin is Literal:
        return {"enum": list(arguments)}
    if hint is Any or hint.__class__.__name__ == "TypeVar":
        return {}
    if origin is not None and isinstance(origin, type) and issubclass(origin, (Sequence, set, frozenset)):
        items = [of_type(kind) for kind in arguments if kind is not Ellipsis]
        return {"type": "array", **({"items": {"anyOf": items}} if items and all(items) else {})}
    if getattr(hint, "__name__", "") in ("Path", "PathLike"):
        return {"type": "string"}
    return {"type": "object"}


def name_schema(file: Path) -> str:
    """Which of the schemas is that of a file in `conf/`."""
    option = Option(file)
    return "config" if option.is_global else "logging" if option.group.startswith("hydra/") else option.group
