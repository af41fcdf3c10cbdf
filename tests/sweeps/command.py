"""The small program's command line, in a process of its own or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "tests.sweeps.app.program", "-m", *arguments]


def run(folder: Path, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """The multirun `arguments` from the folder `folder`, as a user would type it."""
    return subprocess.run(
        command(arguments), cwd=folder, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
    )
