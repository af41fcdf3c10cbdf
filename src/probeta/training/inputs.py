"""What a run reads beside its configuration: the files of its data, and the source of the user's own classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from probeta.errors import RunDirectoryError, UserError
from probeta.runs.directory import RunDirectory
from probeta.runs.reading import Damaged

RECORDED = {"data_sha256": "data", "sources_sha256": "source of the packages in trust"}
"""What `result.json` and checkpoints keep of it."""

WAYS = "rerun=true repeats it and keeps the earlier run under attempts/, name=NAME begins another sweep"


class Inputs:
    """The inputs of runs as they are now: read once for all runs with the same data."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, str | None]] = {}

    def refuse_changed(
        self, run: RunDirectory, tree: Mapping[str, Any], recorded: Mapping[str, Any] | None = None, ways: str = WAYS
    ) -> None:
        """`RunDirectoryError` where `run`, of the configuration `tree`, was made from something else than is there now.

        Args:
            recorded: its `result.json`, where it is completed; else what its checkpoint keeps is compared.
            ways: what the user may do.
        """
        if not tree.get("trust") and not run.artifacts.path("data").is_file():
            return
        before = read_inputs(run) if recorded is None else recorded
        now = self._read(tree)
        changed = [what for key, what in RECORDED.items() if now[key] and before.get(key) not in (None, now[key])]
        if changed:
            done = "was interrupted" if recorded is None else "was completed"
            raise RunDirectoryError(f"{run.path} {done} with other {' and '.join(changed)} than there is now: {ways}")

    def _read(self, tree: Mapping[str, Any]) -> Mapping[str, str | None]:
        key = json.dumps([tree.get("data"), tree.get("trust")], sort_keys=True, default=str)
        if key not in self._known:
            from probeta.config.build import make  # torch
            from probeta.config.trust import get_trusted, sources_sha256

            try:
                data = make(tree, "data").fingerprint()
            except UserError:
                data = None  # Files that are gone change no result that is there.
            self._known[key] = {"data_sha256": data, "sources_sha256": sources_sha256(get_trusted(tree))}
        return self._known[key]


def read_inputs(run: RunDirectory) -> Mapping[str, Any]:
    """What the last checkpoint of `run` keeps of them; nothing where it is damaged, which is told when it is loaded."""
    from probeta.models.weights import load_archive

    try:
        return load_archive(run.last, whole=False).get("inputs") or {}
    except Damaged:
        return {}
