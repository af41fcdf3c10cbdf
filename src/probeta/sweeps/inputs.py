"""What a run reads beside its configuration: the files of its data, and the source of the user's own classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from probeta.errors import RunDirectoryError, UserError
from probeta.runs.directory import RunDirectory
from probeta.sweeps.jobs import SweepJob

RECORDED = {"data_sha256": "data", "sources_sha256": "source of the packages in trust"}
"""What `result.json` keeps of it."""


class Inputs:
    """The inputs of a sweep's jobs as they are now: read once for all jobs with the same data."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, str | None]] = {}

    def refuse_changed(self, job: SweepJob, result: Mapping[str, Any]) -> None:
        """`RunDirectoryError` where the completed run of `job` was made from something else than one would be now."""
        if not job.resolved.get("trust") and not RunDirectory(job.path).artifacts.path("data").is_file():
            return
        now = self._read(job.resolved)
        changed = [what for key, what in RECORDED.items() if now[key] and result.get(key) not in (None, now[key])]
        if changed:
            raise RunDirectoryError(
                f"{job.path} was completed with other {' and '.join(changed)} than there is now: rerun=true repeats it "
                "and keeps the earlier run under attempts/, name=NAME begins another sweep"
            )

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
