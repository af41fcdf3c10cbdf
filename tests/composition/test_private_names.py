"""Which private parts of Hydra and OmegaConf the house stands on: what to look at when a new version of them comes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import probeta

SOURCES = Path(probeta.__file__).parents[1]

PRIVATE = {
    "probeta/composition/app.py": {
        "hydra._internal.callbacks.Callbacks", "hydra._internal.hydra.Hydra", "hydra._internal.utils._run_hydra",
        "hydra._internal.utils.create_config_search_path", "hydra._internal.utils.get_args_parser",
    },
    "probeta/composition/composer.py": {
        "hydra._internal.config_loader_impl.ConfigLoaderImpl", "._apply_overrides_to_config",
        "._parse_overrides_and_create_caching_repo",
    },
    "probeta/composition/template.py": {"._get_node"},
    "probeta/composition/unknown_keys.py": {"hydra._internal.hydra.Hydra", "._get_node", "._is_none"},
    "probeta/composition/job.py": {
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher", "omegaconf._utils.OmegaConfDumper",
        "._return_value",
    },
}  # fmt: skip


OTHERS = {"._trial_id", "._BatchNorm", "._actions", "._fields", "._replace"}
"""Attributes of Optuna, torch, argparse and named tuples in modules that import Hydra's public parts."""


def private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("_")


def uses(tree: ast.Module) -> Iterator[str]:
    """The private names of Hydra and OmegaConf in a module: imported, in a string, or an attribute of something else's.

    What the module defines itself (`self._x = …`, `def _x`, `_x: int`) is its own.
    """
    own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    own |= {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    own |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                name = f"{module}.{alias.name}".lstrip(".")
                if name.split(".")[0] in ("hydra", "omegaconf") and any(map(private, name.split("."))):
                    yield name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            if node.value.startswith(("hydra._", "omegaconf._")):
                yield node.value
        elif isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
            yield f".{node.attr}"
        elif isinstance(node, ast.keyword) and private(node.arg or ""):
            yield f".{node.arg}"


def imports_hydra(tree: ast.Module) -> bool:
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return any(module.split(".")[0] in ("hydra", "omegaconf") for module in modules)


def test_private_names_of_hydra_and_omegaconf_are_these_and_in_composition_alone() -> None:
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = set(uses(tree)) if imports_hydra(tree) else {n for n in uses(tree) if not n.startswith(".")}
        if names := names - OTHERS:
            found[str(path.relative_to(SOURCES))] = names
    assert found == PRIVATE


def test_an_import_an_attribute_and_a_string_are_noticed() -> None:
    code = (
        "from hydra._internal.new import Thing\nconfig._set_flag(1)\nx = 'omegaconf._impl.Y'\nself._own = other._own\n"
    )
    assert set(uses(ast.parse(code))) == {"hydra._internal.new.Thing", "._set_flag", "omegaconf._impl.Y"}
