"""`probeta probe probe=NAME`: measure, leave a table and figures, and say what was found."""

from __future__ import annotations

from pathlib import Path

from probeta.commands.plugins import register_plugins
from probeta.composition.app import launch
from probeta.composition.job import Command
from probeta.inference.probe import check, task
from probeta.runs.record import COMPLETED


def main(argv: list[str]) -> int:
    register_plugins()
    result = launch(Command("probe", task, check), argv)
    if isinstance(result, dict) and result.get("status") == COMPLETED:
        from probeta.commands.outcome import shorten_path

        for name, place in (("run", "."), ("table", "measurements.csv"), ("figures", "figures")):
            print(f"{name:<12}{shorten_path(Path(result['path']) / place)}")
    return 0
