"""Keys and types of a configuration, checked against the constructors it names.

A YAML node is a constructor signature, so the signature is the schema: nothing is declared twice.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from probeta.errors import ConfigError

CallableOrigin = get_origin(Callable[[], None])

RESERVED = ("_target_", "_partial_")
"""Keys of a node that are no arguments. Hydra's others (`_args_`, `_convert_`, `_recursive_`) are not accepted: what
they pass on would go past the checks by name.
"""


@cache
def parameters(target: Callable[..., Any]) -> Mapping[str, Any]:
    """Accepted keyword → type hint (`Any` where none can be read)."""
    function = target.__init__ if inspect.isclass(target) else target
    known = inspect.signature(target).parameters.values()
    return {
        p.name: hint(p.annotation, getattr(function, "__globals__", {}))
        for p in known
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def hint(annotation: Any, names: dict[str, Any]) -> Any:
    """One annotation, evaluated where it stands as text; `Any` where it names types that only type checkers see."""
    holder = type("Holder", (), {"__annotations__": {"hint": annotation}})
    try:
        return Any if annotation is inspect.Parameter.empty else get_type_hints(holder, names)["hint"]
    except Exception:
        return Any


@cache
def required(target: Callable[..., Any]) -> Collection[str]:
    known = inspect.signature(target).parameters.values()
    return [p.name for p in known if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def check_node(target: Callable[..., Any], node: Mapping[str, Any], path: str, supplied: Collection[str]) -> None:
    """`ConfigError` where `node` has a key that `target` does not take, lacks one, or has a wrong type.

    `supplied` are the arguments that `build` adds (a model's `spec`, an optimizer's `params`).
    """
    accepted = parameters(target)
    public = [name for name in accepted if name not in supplied]
    for key, value in node.items():
        if key in RESERVED:
            continue
        if key in supplied and "." in path:
            above = f"{path.rpartition('.')[0]}.{key}"
            raise ConfigError(
                f"{path}.{key} is not accepted: decided for all parts together ({above}, where it is a key)"
            )
        if key not in public:
            raise ConfigError.unknown("key", f"{path}.{key}", [f"{path}.{name}" for name in public])
        if not fits(value, accepted[key]):
            raise ConfigError.value(f"{path}.{key}", value, describe(accepted[key]))
    missing = [name for name in required(target) if name not in node and name not in supplied]
    if missing and not node.get("_partial_"):
        raise ConfigError(f"{path}.{missing[0]} is missing: {describe(accepted[missing[0]])}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain YAML value may be passed where `hint` is asked for."""
    if hint is Any or hint is inspect.Parameter.empty:
        return True
    if isinstance(value, Mapping) and "_target_" in value:
        return True  # checked as a node of its own
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, option) for option in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is not None and isinstance(origin, type):
        return fits_container(value, origin, get_args(hint))
    if hint in (None, type(None)):
        return value is None
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value  # nan is no number
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (str, bool):
        return isinstance(value, hint)
    if isinstance(hint, type) and issubclass(hint, Iterable) and hint.__module__ in ("builtins", "collections.abc"):
        return isinstance(value, (dict, list, str))
    if hint.__class__.__name__ == "TypeVar":
        return True
    # A path may be written as text; any other class has to be a node with a `_target_`.
    return isinstance(value, str) and getattr(hint, "__name__", "") in ("Path", "PathLike")


def fits_container(value: Any, origin: type, args: tuple[Any, ...]) -> bool:
    if issubclass(origin, Mapping):
        return isinstance(value, dict)
    if issubclass(origin, (Sequence, set, frozenset)) or origin is Iterable:
        items = [a for a in args if a is not Ellipsis]
        return isinstance(value, list) and all(any(fits(v, a) for a in items or [Any]) for v in value)
    # A function or a class is a node with a `_target_`, never a plain value.
    return origin not in (CallableOrigin, type)


def describe(hint: Any) -> str:
    """A type hint in the words of someone who writes YAML."""
    words = {float: "a number", int: "a whole number", str: "text", bool: "true or false", type(None): "null"}
    if hint in words:
        return words[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        names = [describe(a) for a in args if a is type(None) or a in words or get_origin(a) is not None]
        return " or ".join(dict.fromkeys(names)) or "a node with a _target_"
    if origin is Literal:
        return " or ".join(map(str, args))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Sequence):
        return f"a list of {describe(args[0])}" if args and args[0] is not Any else "a list"
    if hint is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return "keys of its own"
    return "a node with a _target_"
