"""Jobs that set the same keys to other values, derived from one of them.

Composing and resolving a configuration takes milliseconds; setting values in a plain tree, and what refers to them,
takes microseconds. A `Template` does the second where it must come to the same, and there is none where it might not.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import AnyNode, DictConfig, OmegaConf

Place = tuple[str | int, ...]
"""The keys and list indices that lead to a node."""

KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
REFERENCE = re.compile(rf"\$\{{({KEY.pattern})\}}", re.ASCII)
"""A value that is all of another node, named from the root."""


def sets_value(override: Override) -> bool:
    """Whether an override line gives a key one plain value that stands for itself."""
    if override.package is not None or override.is_delete() or override.is_sweep_override():
        return False
    value = override.value()
    plain = isinstance(value, int | float) or (isinstance(value, str) and "${" not in value and value != "???")
    return plain and KEY.fullmatch(override.key_or_group) is not None


@dataclass(frozen=True)
class Template:
    """A resolved configuration, and where the values of overrides come to stand in it."""

    resolved: bytes
    """Pickled: a copy by `loads` costs a sixth of `deepcopy`."""
    places: tuple[Place, ...]
    """For each override that sets a value, in their order."""
    copies: tuple[tuple[Place, Place], ...]
    """(from, to) of each reference to what is set, those that others rely on first."""

    @classmethod
    def of(cls, config: DictConfig, overrides: Sequence[Override]) -> Template | None:
        """From one job's `config`, to which `overrides` gave values; `None` where these may reach a node in a way that
        is not followed here: through a resolver, within a text, by a relative path, converted by a typed node."""
        places = tuple(_place(o.key_or_group) for o in overrides if sets_value(o))
        others = [_place(o.key_or_group) for o in overrides if not sets_value(o)]
        raw = OmegaConf.to_container(config, resolve=False)
        apart = not any(_overlap(a, b) for a in places for b in others)
        if not apart or not all(_leads(raw, place) and _takes_anything(config, place) for place in places):
            return None
        copies = _copies(raw, set(places))
        if copies is None:
            return None
        return cls(pickle.dumps(OmegaConf.to_container(config, resolve=True)), places, copies)

    def derive(self, overrides: Sequence[Override]) -> dict[str, Any]:
        """The resolved configuration of a job whose overrides differ from the template's in values alone."""
        tree: dict[str, Any] = pickle.loads(self.resolved)
        values = (override.value() for override in overrides if sets_value(override))
        for place, value in zip(self.places, values, strict=True):
            _get(tree, place[:-1])[place[-1]] = value
        for source, target in self.copies:
            # Each reference has a copy of its own, as when OmegaConf resolves it.
            _get(tree, target[:-1])[target[-1]] = pickle.loads(pickle.dumps(_get(tree, source)))
        return tree


def _copies(raw: Any, changed: set[Place]) -> tuple[tuple[Place, Place], ...] | None:
    """The references in the unresolved tree `raw` that `changed` reaches; `None` where an interpolation is another."""
    references: dict[Place, Place] = {}
    for place, text in _interpolations(raw):
        if (found := REFERENCE.fullmatch(text)) is None or not _leads(raw, source := _place(found[1])):
            return None
        references[place] = source
    reached = set(changed)
    while more := {p for p, s in references.items() if p not in reached and any(_overlap(s, c) for c in reached)}:
        reached |= more
    copies: list[tuple[Place, Place]] = []
    waiting = reached - changed
    while waiting:
        ready = {p for p in waiting if not any(_overlap(references[p], other) for other in waiting)}
        if not ready:
            return None
        copies += [(references[p], p) for p in sorted(ready, key=str)]
        waiting -= ready
    return tuple(copies)


def _interpolations(tree: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text in plain containers that has an interpolation in it, escaped ones too."""
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _interpolations(value, (*place, key))
    elif isinstance(tree, str) and "${" in tree:
        yield place, tree


def _leads(raw: Any, place: Place) -> bool:
    """Whether `place` is reached through mappings alone: not through a list, or through a reference."""
    for key in place:
        if not isinstance(raw, dict) or key not in raw:
            return False
        raw = raw[key]
    return True


def _takes_anything(config: DictConfig, place: Place) -> bool:
    """Whether the node at `place` takes any value as it is."""
    node: Any = config
    for key in place:
        node = node._get_node(key)
    return type(node) is AnyNode


def _place(key: str) -> Place:
    return tuple(key.split(".")) if key else ()


def _overlap(a: Place, b: Place) -> bool:
    """Whether one is the other, or lies within it."""
    return a[: len(b)] == b[: len(a)]


def _get(tree: Any, place: Place) -> Any:
    for key in place:
        tree = tree[key]
    return tree
