"""The pictures of a sweep's page: what runs drew, a few runs' worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from probeta.report.runs import Run

MOST = 24
"""Pictures on a page."""

BYTES = 6_000_000
"""All of them together: a page that is mailed has to stay small."""


@dataclass(frozen=True)
class Picture:
    """One image of one run."""

    title: str
    variant: str
    png: bytes


def pictures(runs: Sequence[Run]) -> list[Picture]:
    """The figures of one run of each variant (the first that completed), within `MOST` and `BYTES`."""
    first: dict[str, Run] = {}
    for run in runs:
        if run.completed:
            first.setdefault(run.variant, run)
    found: list[Picture] = []
    size = 0
    for run in first.values():
        for title, png in figures(run.path):
            if len(found) == MOST or size + len(png) > BYTES:
                return found
            seed = f", seed {run.replicate[0]}" if run.replicate else ""
            found.append(Picture(f"{title}{seed}", run.variant, png))
            size += len(png)
    return found


def figures(path: Path) -> Iterator[tuple[str, bytes]]:
    """Title and content of each PNG under the run's `figures/`."""
    for file in sorted((path / "figures").rglob("*.png")):
        yield file.stem.replace("_", " "), file.read_bytes()
