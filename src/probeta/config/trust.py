"""What a configuration may build.

A run directory can come from anywhere, and a `_target_` names any importable object: `torch.hub.load` is
reachable through a dozen modules that begin with `torch.nn`. So what counts is not how the path begins
but what it resolves to: a class or function that was itself defined in an allowed module.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from probeta.config.signatures import describe, fits
from probeta.errors import ConfigError

OURS = tuple(
    f"probeta.{part}" for part in ("callbacks", "data", "loggers", "metrics", "models", "nn", "probes", "sweeps")
)
LIBRARIES = (
    "torch.nn.modules",
    "torch.optim",
    "pytorch_lightning.callbacks",
    "pytorch_lightning.loggers",
    "pytorch_lightning.strategies",
    "pytorch_lightning.trainer.trainer",
)


def within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def trusted(tree: Mapping[str, Any]) -> Sequence[str]:
    """The packages of the user's own that the configuration `tree` trusts."""
    trust = tree.get("trust") or []
    if not fits(trust, str | list[str]):
        raise ConfigError.value("trust", trust, describe(str | list[str]))
    return [trust] if isinstance(trust, str) else list(trust)


def resolve(target: str, trust: Sequence[str] = ()) -> Callable[..., Any]:
    """The class or function that `target` names; `ConfigError` where it is missing or not to be trusted."""
    allowed = (*OURS, *LIBRARIES, *trust)
    parts = target.split(".")
    roots = {package.split(".")[0] for package in allowed}
    if parts[0] not in roots:
        raise not_trusted(target, parts[0])
    found: Any = None
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        # Importing runs a module's code: only modules of packages that may be built from are imported.
        if not any(within(name, (package,)) or within(package, (name,)) for package in allowed):
            continue
        try:
            found = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name and not within(name, (error.name,)):
                raise ConfigError(
                    f"_target_={target} needs the module {error.name!r}, which is not installed"
                ) from None
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute, None)
        break
    if found is None:
        missing = parts[0] not in sys.modules and find_spec(parts[0]) is None
        how = f": Python finds no {parts[0]}; install it, or start with PYTHONPATH=FOLDER where it lies" * missing
        raise ConfigError(f"_target_={target} does not exist{how}")
    if not (inspect.isclass(found) or inspect.isfunction(found)) or not within(found.__module__, allowed):
        raise not_trusted(target, parts[0])
    return found


def not_trusted(target: str, root: str) -> ConfigError:
    return ConfigError(
        f"_target_={target} is not built: only the classes of probeta, torch's modules and optimizers and "
        f"Lightning's callbacks, loggers and strategies are; for your own say trust=[{root}]"
    )


def targets(tree: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with a `_target_`, outermost first, with its dotted path."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield path, tree
        for key, value in tree.items():
            yield from targets(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from targets(value, f"{path}[{i}]")
