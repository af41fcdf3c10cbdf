"""How a sweep ends when not everything in it did well."""

from __future__ import annotations

from pathlib import Path

from probeta.errors import UserError


class LauncherFailed(UserError):
    """The launcher fails before any job has started: no run is at fault, and none is recorded."""


class SweepFailed(SystemExit):
    """Some jobs failed: the table that explains them is printed, and the command exits with 1."""

    def __init__(self, failed: int, jobs: int, directory: Path) -> None:
        super().__init__(1)
        self.directory = directory
        self.failed = failed
        self.jobs = jobs

    def __str__(self) -> str:
        return f"{self.failed} of {self.jobs} jobs failed"
