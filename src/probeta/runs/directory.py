"""A run's directory: the paths in it that others rely on, and the lock that one process holds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf

from probeta.errors import RunDirectoryError, RunDirectoryInUse
from probeta.runs.artifacts import Artifacts
from probeta.runs.moved import update_config
from probeta.runs.reading import read_config, read_json

PATIENCE = 0.5
"""Seconds to wait for a lock: a sweep that looks whether a run is alive holds it for a moment."""

REFERENCE = re.compile(r"\$\{[\w.\[\]/@-]+\}")
"""An interpolation that names another key, as `${recipe.max_epochs}`."""


def calls_resolver(text: str) -> bool:
    """Whether an interpolation in `text` is more than a reference to another key: it calls a resolver (`oc.env`),
    which may say something else elsewhere or tomorrow.

    References are taken away from the inside out, since a resolver's name may hold some: `${oc.${x}:HOME}`.
    """
    while (shorter := REFERENCE.sub("x", text)) != text:
        text = shorter
    return "${" in text


@dataclass(frozen=True)
class RunDirectory:
    """`outputs/train/<date_time>-<unique>/`: the paths in it that others rely on."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / ".hydra" / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        return self.checkpoints / "last.ckpt"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.ckpt"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.csv"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.path / "artifacts")

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @classmethod
    def existing(cls, path: str | Path) -> RunDirectory:
        """The run directory at `path`; `RunDirectoryError` where there is none."""
        run = cls(Path(path).absolute())
        if not run.path.is_dir():
            raise RunDirectoryError(f"no run directory at {path}: the folder does not exist")
        if not run.config.is_file():
            raise RunDirectoryError(f"no run directory at {path}: it has no .hydra/config.yaml")
        return run

    def recorded_places(self) -> dict[str, Any]:
        """Arguments of the data whose meaning depends on where the command was given, as they were meant there."""
        places = read_json(self.artifacts.path("data"), dict) or {}
        return {key: str(self.path / place) if isinstance(place, str) else place for key, place in places.items()}

    def load_config(self) -> DictConfig:
        """The configuration that the run was composed to, with the keys and the `_target_`s of today."""
        config = read_config(self.config)
        if config is None:
            raise RunDirectoryError(f"no run directory at {self.path}: it has no .hydra/config.yaml")
        tree = OmegaConf.to_container(config, resolve=False)
        assert isinstance(tree, dict)
        tree = update_config({str(key): value for key, value in tree.items()})
        for key, value in self.recorded_places().items():
            # Recorded as it was meant, where an earlier version left the question to the environment.
            if isinstance(tree.get("data"), dict) and "${" in str(tree["data"].get(key)):
                tree["data"][key] = value
        self._refuse_resolvers(tree)
        return OmegaConf.create(tree)

    def _refuse_resolvers(self, tree: Any, path: str = "") -> None:
        """A directory may come from elsewhere: nothing in it is looked up in the reader's environment."""
        if isinstance(tree, Mapping | list):
            for key, value in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
                self._refuse_resolvers(value, f"{path}.{key}" if path else str(key))
        elif isinstance(tree, str) and calls_resolver(tree):
            raise RunDirectoryError(f"{self.config}: {path}={tree} is not obeyed: it reads outside the run directory")


def search_database(sweep: Path) -> Path:
    """The file that a search keeps its trials in, in the directory of its `sweep`."""
    return sweep / "search.db"


def search_address(sweep: Path) -> str:
    """`search_database` as Optuna is told it, whatever characters the path holds."""
    from sqlalchemy import URL  # with optuna: only searches pay for it

    return URL.create("sqlite", database=str(search_database(sweep))).render_as_string(hide_password=False)


def refuse_links_out(path: Path) -> None:
    """`RunDirectoryError` where a link in the run directory `path` leads to a folder outside it.

    Files are renamed into place, which replaces a link; through a link to a folder they would land elsewhere, and
    replace what lies there.
    """
    for parent, folders, _ in os.walk(path):
        for name in folders:
            folder = Path(parent, name)
            if folder.is_symlink() and not folder.resolve().is_relative_to(path.resolve()):
                raise RunDirectoryError(
                    f"{folder} is a link to {folder.resolve()}: a run writes only inside its own folder"
                )


@contextmanager
def hold_lock(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the run directory `path` for this process; the kernel frees it if the process is killed.

    Raises `RunDirectoryInUse` where another process holds it for `patience` seconds.
    """
    refuse_links_out(path)
    lock = FileLock(path / ".lock", timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise RunDirectoryInUse(f"{path} is in use by another process") from None
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a live process holds the run directory."""
    if not (path / ".lock").exists():
        return False
    lock = FileLock(path / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
