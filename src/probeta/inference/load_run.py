"""A finished run from its directory: model, data and metrics, for commands and notebooks."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probeta.config.build import build_data, build_model, check_keys, resolve_config
from probeta.config.trust import adopt, get_trusted, relocate, resolve
from probeta.data.datamodule import DataModule
from probeta.data.spec import DataSpec
from probeta.errors import RunDirectoryError
from probeta.models.module import Module
from probeta.models.weights import load_archive, weights_sha256
from probeta.runs.directory import RunDirectory
from probeta.runs.record import check_recorded, read_result
from probeta.training.fit import quiet

NUMERIC = ("_target_", "precision", "deterministic", "benchmark", "limit_test_batches")
"""Keys of the trainer that a run's figures depend on."""


@dataclass
class LoadedRun:
    """What `load_run` finds."""

    path: Path
    tree: dict[str, Any]
    """Of the configuration, resolved, what a finished run is loaded and evaluated by."""
    model: Module
    """The kept weights, in evaluation mode."""
    metrics: dict[str, Any]
    result: dict[str, Any]
    spec: DataSpec
    kept: Any = None
    """What the data kept for the use of the model: tokenizers, columns; `None` for those that keep nothing."""

    @property
    def data(self) -> DataModule:
        """The datamodule, set up (read again from where the run found it; changed content is refused)."""
        if self._data is None:
            data = build_data(self.tree)
            recorded = self.result.get("data_sha256")
            if recorded and data.sha256() != recorded:
                raise RunDirectoryError(
                    f"the data of {self.path} have changed since the run (data_sha256 in its result.json)"
                )
            data.verify()
            self._data = data
        return self._data

    _data: DataModule | None = None


def drop_training(tree: Mapping[str, Any]) -> dict[str, Any]:
    """`tree` without what only training builds: in a directory from elsewhere nobody has to trust it."""
    trainer = {key: value for key, value in (tree.get("trainer") or {}).items() if key in NUMERIC}
    return {**{key: value for key, value in tree.items() if key not in ("callbacks", "logger")}, "trainer": trainer}


def load_run(directory: str | Path, trust: list[str] | None = None) -> LoadedRun:
    """The run in `directory`. Nothing in it is executed but what probeta and `trust` define.

    Raises `RunDirectoryError` where there is no finished run with weights.
    """
    quiet()
    run = RunDirectory.existing(directory)
    result = read_result(run.path)
    if result is None:
        again = shlex.quote(f"resume={directory}")
        raise RunDirectoryError(f"{directory} has no result.json: the run is not finished ({again} goes on)")
    checkpoint = run.best if run.best.is_file() else run.last
    if not checkpoint.is_file():
        raise RunDirectoryError(f"{directory} has no checkpoint (checkpoints=none): there are no weights to load")
    config = run.load_config()
    check_recorded(run, config, result)
    tree = relocate(adopt(drop_training(resolve_config(config)), trust or []), run.recorded_places())
    check_keys(tree)
    data_class: Any = resolve(tree["data"]["_target_"], "data", get_trusted(tree))
    kept = data_class.load(run.artifacts.folder)
    data = build_data(tree) if kept is None else None
    spec = kept.spec if data is None else data.spec
    model = build_model(tree, spec)
    state: dict[str, Any] = load_archive(checkpoint).get("state_dict") or {}
    recorded = result.get("weights_sha256")
    try:
        if checkpoint == run.best and recorded and weights_sha256(state) != recorded:
            raise RunDirectoryError(f"{checkpoint} holds other weights than the run recorded in {run.result}")
        model.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise RunDirectoryError(
            f"{checkpoint} does not fit the model of {run.config}: {str(error).splitlines()[0]}"
        ) from None
    found = LoadedRun(run.path, tree, model.eval(), result.get("metrics") or {}, result, spec, kept)
    if data is not None and data.sha256() == result.get("data_sha256"):
        found._data = data
    return found
