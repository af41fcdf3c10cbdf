"""How a run was made: its command, and what was chosen from the groups of the configuration."""

from __future__ import annotations

import shlex
from typing import Any

from probeta.runs.reading import Damaged, read_json
from probeta.runs.row import RunRow

CHOICES = ("experiment", "data", "model", "optimizer", "scheduler", "attention", "probe")
"""Groups of the configuration that say what ran."""


def command(run: RunRow) -> str:
    """The command that makes this run anew: a study's job is made by the study's own, the one of its folder; one that
    trained another further, from that one."""
    if (origin := find_origin(run)) is not None:
        return shlex.join(
            ["probeta", "train", f"extend={origin['run']}", *(f"{k}={v}" for k, v in origin["changes"].items())]
        )
    if any(line.startswith("study=") for line in run.overrides):
        try:
            return str((read_json(run.path.parent / "sweep.json", dict) or {}).get("command") or "")
        except Damaged:
            return ""
    sources = run.hydra.get("config_sources") or []
    folders = [str(source["path"]) for source in sources if source.get("provider") == "command-line"]
    known = [argument for folder in folders for argument in ("--config-dir", folder)]
    kind = "probe" if "probe" in choices(run) else "train"
    return shlex.join(["probeta", kind, *known, *run.overrides])


def find_origin(run: RunRow) -> dict[str, Any] | None:
    """`run`, `epochs`, `changes` of the run that this one trained further; `None` where there is none."""
    origin: Any = run.result.get("extended_from")
    match origin:
        case {"run": str(), "epochs": int(), "changes": dict()}:
            return dict(origin)
    return None


def choices(run: RunRow) -> dict[str, str]:
    """Group → option, of what ran."""
    chosen = run.hydra.get("choices") or {}
    return {name: str(chosen[name]) for name in CHOICES if chosen.get(name) not in (None, "none")}
