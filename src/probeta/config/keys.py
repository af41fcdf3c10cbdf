"""Every key of a configuration with its value, type and meaning, read where each of them is said already.

Of an argument: the constructor's signature, and its docstring (or the comment beside a field, as Hydra's plugins have
it). Of any other key: the comment beside it in the primary configuration.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, is_dataclass
from typing import Any, Literal, NamedTuple

from probeta.config.signatures import RESERVED, describe, parameters
from probeta.config.trust import get_trusted, resolve

TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("seeds.init", "seeds.order", "seeds.noise", "recipe.patience"), int | None),
    **dict.fromkeys(("name", "resume", "extend"), str | None),
    "checkpoints": Literal["all", "best", "none"] | None,
    "figures": Literal["all", "none", "png", "svg", "pdf"] | None,
    "recipe.gradient_clip": float | None,
    **dict.fromkeys(("zip", "study.zip"), list[Any] | None),
    "study.search": dict[str, Any] | None,
    "study.seeds": str | int | list[Any],
    **dict.fromkeys(("study.metrics", "study.curves"), list[str] | str),
}
"""Of keys that are no argument and may be null, or are accepted in other forms than their reader keeps them in."""


class Key(NamedTuple):
    """One key; `name` starts with `+` where the configuration does not set it, as it has to be written then."""

    name: str
    value: str
    type: str
    meaning: str
    """A paragraph; empty where none is said."""
    hint: Any = Any
    """The type as Python has it; `Any` where no signature says one."""

    @property
    def path(self) -> str:
        return self.name.removeprefix("+")


def list_keys(
    tree: Mapping[str, Any],
    primary: str,
    supplied: Mapping[str, tuple[str, ...]],
    kinds: Mapping[str, Callable[..., Any]] | None = None,
) -> list[Key]:
    """The keys of `tree`, outermost first.

    Args:
        tree: a composed configuration as plain containers.
        primary: the text of the primary configuration, whose comments explain the keys that are no argument.
        supplied: the arguments that no configuration may state, by the path of their node.
        kinds: what reads a node that is not built from its `_target_`, by the path of the node.
    """
    said, trust, readers = comments(primary), get_trusted(tree), kinds or {}

    def find_target(node: Mapping[str, Any], path: str) -> Callable[..., Any] | None:
        return readers.get(path) or (resolve(node["_target_"], path, trust) if "_target_" in node else None)

    def walk(node: Mapping[str, Any], path: str) -> Iterator[Key]:
        target = find_target(node, path)
        defaults = _defaults(target) if target else {}
        accepted = parameters(target) if target else {}
        hidden = {*RESERVED, *supplied.get("logger" if path.startswith("logger.") else path, ())}
        hidden |= {*getattr(target, "supplied", ())}
        if node.get("_partial_"):
            # Whoever calls it brings what has no default and is not said.
            hidden |= {name for name, value in defaults.items() if value == "???"} - node.keys()
        for name in dict.fromkeys((*node, *accepted)):
            if name in hidden:
                continue
            full = f"{path}.{name}" if path else name
            value = node.get(name, defaults.get(name))
            meaning = find_meaning(target, name) if target else said.get(full, "")
            if path and isinstance(value, Mapping) and value == tree.get(name):
                meaning = meaning or f"As {name}."
            kind = find_target(value, full) if isinstance(value, Mapping) else None
            if kind:
                told = ("_target_", "a node with a _target_") if "_target_" in value else ("", "keys of its own")
                yield Key(full, value.get(told[0], "{…}"), told[1], meaning or summarize(kind))
            else:
                hint = TYPES.get(full, accepted.get(name, Any))
                if hint is Any and isinstance(value, (bool, int, float, str)):
                    hint = type(value)
                yield Key(full if name in node else f"+{full}", show(value), describe_type(hint, value), meaning, hint)
            # Below an argument that is a mapping, as a study's variants, are names of the user's.
            if isinstance(value, Mapping) and not (path and value == tree.get(name)) and (kind or not target):
                yield from walk(value, full)

    return list(walk(tree, ""))


def _defaults(target: Callable[..., Any]) -> dict[str, Any]:
    made = {f.name: f.default_factory() for f in getattr(target, "__dataclass_fields__", {}).values()
            if f.default_factory is not MISSING}  # fmt: skip
    return {
        p.name: "???" if p.default is p.empty else made.get(p.name, p.default)
        for p in inspect.signature(target).parameters.values()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def show(value: Any) -> str:
    """`value` as it is written on a command line."""
    if isinstance(value, Mapping):
        return "{…}" if value else "{}"
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def describe_type(hint: Any, value: Any) -> str:
    """The type in words; where no signature says one, that of the value."""
    if hint is not Any:
        return describe(hint)
    if isinstance(value, Mapping):
        return "keys of its own"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a node with a _target_ or null" if value is None else describe(type(value))


def find_meaning(target: Callable[..., Any], name: str) -> str:
    """What the docstrings of `target`, of its bases and of the classes that these name say of the argument `name`:
    its entry under `Args:` (that of another class where it is "as in" that), else the first sentence that has it in
    backticks."""
    docs = list(_docstrings(target))
    for doc in docs:
        if (found := arguments(doc).get(name)) and not found.startswith("as in "):
            return found
    for part in target.__mro__[:-1] if is_dataclass(target) and inspect.isclass(target) else ():
        if found := comments(inspect.getsource(part)).get(name):
            return found
    for pattern in (f"`{name}`", f"`{name}="):
        for doc in docs:
            for sentence in re.split(r"(?<=[^A-Z.][.])\s+(?=[A-Z`])|\n\s*\n", doc):
                if pattern in sentence and not sentence.startswith("Args:"):
                    return _plain(sentence)
    return ""


def _docstrings(target: Callable[..., Any]) -> Iterator[str]:
    for part in target.__mro__[:-1] if inspect.isclass(target) else (target,):
        for source in (part, vars(part).get("__init__")):
            if text := getattr(source, "__doc__", None):
                yield inspect.cleandoc(text)
                for module, attribute in re.findall(r"`(probeta(?:\.\w+)*)\.([A-Z]\w*)`", text):
                    yield from _docstrings(getattr(importlib.import_module(module), attribute))


def arguments(doc: str) -> dict[str, str]:
    """Argument → its entry in the `Args:` section of a cleaned docstring, as Google and PyTorch write them."""
    found: dict[str, str] = {}
    for section in re.findall(r"^Args:\s*\n((?:[ \t]+\S.*\n?|\s*\n)+)", doc, re.MULTILINE):
        for entry in re.split(r"\n(?=\S)", inspect.cleandoc(section)):
            names, colon, text = re.sub(r"^([\w, *]+?) ?\(.*?\) ?:", r"\1:", entry, flags=re.DOTALL).partition(":")
            if colon and re.fullmatch(r"[\w, *]+", names):
                found |= {name.strip(" *"): _paragraph(text) for name in names.split(",")}
    return found


def summarize(kind: Callable[..., Any]) -> str:
    """The first paragraph of what `kind` says of itself; nothing of what a dataclass says where nobody wrote more."""
    text = kind.__doc__ or ""
    return "" if text.startswith(f"{kind.__name__}(") else _paragraph(text)


def _paragraph(text: str) -> str:
    return _plain(re.split(r"\n\s*\n", inspect.cleandoc(text.strip()))[0])


def _plain(text: str) -> str:
    """`text` on one line, without the mark-up of Sphinx."""
    return " ".join(re.sub(r":\w+:(?=`)|(?<=`)_+(?=\W)", "", text).replace("``", "`").split())


def comments(text: str) -> dict[str, str]:
    """Dotted key → the comment behind it in a YAML file (field → that in a dataclass), or on the lines above it."""
    found: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    above = ""
    for line in text.splitlines():
        if key := re.match(r"( *)(?:- )?([\w/]+):(?:[^#]*#\s*(.*)|.*)$", line):
            parents = [p for p in parents if p[0] < len(key[1])] + [(len(key[1]), key[2])]
            found[".".join(name for _, name in parents).removeprefix("defaults.")] = (key[3] or above).strip()
        words = line.strip().lstrip("#").strip()
        above = f"{above} {words}".strip() if words and line.lstrip().startswith("#") else ""
    return {key: comment for key, comment in found.items() if comment}
