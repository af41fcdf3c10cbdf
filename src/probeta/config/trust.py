"""What a configuration may build.

A run directory can come from anywhere, and a `_target_` names any importable object. So what may be built is listed:
at each place of a configuration the subclasses of one class, and of those only the ones that are defined in a module of
this project, of torch or of Lightning that is listed with it. Functions and methods are no targets, since a function
that calls what it is given would call anything. Only the command says whom else to trust, never a directory.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from probeta.config.signatures import describe, fits
from probeta.errors import ConfigError

PLACES: Sequence[tuple[str, str, Sequence[str]]] = (
    ("model", "probeta.models.module.Module", ("probeta.models",)),
    ("data", "probeta.data.datamodule.DataModule", ("probeta.data",)),
    ("decoding", "probeta.models.decoding.Decoding", ("probeta.models",)),
    ("model.decoding", "probeta.models.decoding.Decoding", ("probeta.models",)),
    ("probe", "probeta.probes.probe.Probe", ("probeta.probes",)),
    ("callbacks.*.*", "torch.nn.Module", ("torch.nn.modules",)),
    ("callbacks.*", "pytorch_lightning.Callback", ("probeta.callbacks", "pytorch_lightning.callbacks")),
    ("logger.*", "pytorch_lightning.loggers.Logger", ("probeta.loggers", "pytorch_lightning.loggers")),
    ("optimizer", "torch.optim.Optimizer", ("torch.optim",)),
    ("scheduler", "torch.optim.lr_scheduler.LRScheduler", ("probeta.models.schedules", "torch.optim.lr_scheduler")),
    ("trainer", "pytorch_lightning.Trainer", ("pytorch_lightning.trainer.trainer",)),
    ("trainer.strategy", "pytorch_lightning.strategies.Strategy", ("pytorch_lightning.strategies",)),
    ("*", "torch.nn.Module", ("probeta.nn", "torch.nn.modules")),
)
"""Place (the first that matches counts), what a class there derives from, and the modules that may define it."""

ELSEWHERE = ("pytorch_lightning.callbacks", "pytorch_lightning.loggers", "pytorch_lightning.strategies")
"""Classes that write to where they are told, or open connections: not from a directory, unless the command says so."""


def is_within(module: str, packages: Sequence[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def get_trusted(tree: Mapping[str, Any]) -> Sequence[str]:
    """The packages of the user's own that the configuration `tree` trusts."""
    trust = tree.get("trust") or []
    if not fits(trust, str | list[str]):
        raise ConfigError.value("trust", trust, describe(str | list[str]))
    return [trust] if isinstance(trust, str) else list(trust)


def resolve(target: object, place: str, trust: Sequence[str] = ()) -> Callable[..., Any]:
    """The class that `target` names at the key `place` (or the function, of a package in `trust`).

    Raises `ConfigError` where it is missing, not listed or of another kind.
    """
    module, _, name = str(target).rpartition(".")
    _, base, listed = next(row for row in PLACES if fnmatchcase(place, row[0]))
    allowed = (*listed, *trust)
    # Importing runs a module's code: only modules of packages that may be built from are imported, and their parents.
    if not name or not any(is_within(module, (package,)) or is_within(package, (module,)) for package in allowed):
        raise not_trusted(target, place)
    found = getattr(imported(module, str(target)), name, None)
    if found is None:
        raise ConfigError(f"{place}._target_={target} does not exist")
    if inspect.isclass(found) or inspect.isfunction(found):
        if is_within(found.__module__, trust):
            return found
        if inspect.isclass(found) and is_within(found.__module__, listed):
            if issubclass(found, named_class(base)):
                return found
            raise ConfigError(
                f"{place}._target_={target} is not accepted: this place takes a {base.rpartition('.')[2]}"
            )
    raise not_trusted(target, place)


def imported(module: str, target: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not is_within(module, (error.name,)):
            raise ConfigError(f"_target_={target} needs the module {error.name!r}, which is not installed") from None
        root = target.partition(".")[0]
        missing = root not in sys.modules and find_spec(root) is None
        how = f": Python finds no {root}; install it, or start with PYTHONPATH=FOLDER where it lies" * missing
        raise ConfigError(f"_target_={target} does not exist{how}") from None


def named_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def not_trusted(target: object, place: str) -> ConfigError:
    return ConfigError(
        f"{place}._target_={target} is not built: only the classes of probeta, torch's modules, optimizers and "
        f"schedulers and Lightning's callbacks, loggers and strategies are, each at its place; for your own say "
        f"trust=[{str(target).split('.')[0]}]"
    )


def sources_sha256(trust: Sequence[str]) -> str | None:
    """A hash of the Python files of the packages in `trust`, as far as they are none that are installed."""
    digest = hashlib.sha256()
    for root in sorted({name.partition(".")[0] for name in trust}):
        spec = find_spec(root)
        folders = [Path(place) for place in (spec and spec.submodule_search_locations) or ()]
        files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
        if spec is not None and spec.origin and not folders:
            files = [Path(spec.origin)]
        for file in files:
            if not {"site-packages", "dist-packages"} & set(file.parts) and file.is_file():
                digest.update(f"{file.name} ".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest() if digest.digest() != hashlib.sha256().digest() else None


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


def adopt(tree: Mapping[str, Any], trust: Sequence[str]) -> dict[str, Any]:
    """The configuration `tree` of a directory, which may come from elsewhere, as far as it is obeyed.

    Whom to trust is said by the command (`trust`), not there; so are the folders that the data are kept in.
    Raises `ConfigError` for what would write elsewhere or open a connection and is not trusted.
    """
    for path, node in targets(tree):
        target = str(node["_target_"])
        found = resolve(target, path, trust)
        connects = is_within(found.__module__, ELSEWHERE) or getattr(found, "connects", lambda node: False)(node)
        if connects and not is_within(found.__module__, trust):
            package = ".".join(target.split(".")[:2])
            raise ConfigError(
                f"{path}._target_={target} is not built from a directory's configuration: it may write or connect to "
                f"where that says; if you know where it comes from, say trust=[{package}]"
            )
    adopted = {**tree, "trust": list(trust)}
    if isinstance(data := tree.get("data"), dict) and "_target_" in data:
        kept = getattr(resolve(data["_target_"], "data", trust), "writes", ())
        adopted["data"] = {key: value for key, value in data.items() if key not in kept}
    return adopted


def relocate(tree: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    """`tree` with the recorded `places` of its data: what the class reads from (`located`), and nothing else."""
    data = tree["data"]
    known = getattr(resolve(data["_target_"], "data", get_trusted(tree)), "located", ())
    return {**tree, "data": {**data, **{key: place for key, place in places.items() if key in known}}}


def trust_argument(value: str | None) -> list[str]:
    """`trust=[mypkg]` or `trust=mypkg,other` as a list of package names."""
    names = [name.strip() for name in (value or "").strip("[]").split(",") if name.strip()]
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError.value("trust", value, "names of packages, trust=[mypkg]")
    return names
