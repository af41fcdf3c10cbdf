"""The pictures of a sweep's page: what a few of its runs drew, or left to be drawn."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probeta.runs.artifacts import VECTOR, Artifacts
from probeta.runs.reading import Damaged, note
from probeta.runs.row import RunRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from probeta.figures.boundary import BoundaryPictures

MOST = 24
"""Pictures on a page."""

BYTES = 6_000_000
"""All of them together: a page that is mailed has to stay small."""

BEGIN, END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
"""Of every PNG image."""

DPI = 90

SECONDS = 3.0
"""After this long no further run's pictures are drawn: a multirun's runs leave only the data for them."""


@dataclass(frozen=True)
class Picture:
    """One image of one run."""

    title: str
    variant: str
    png: bytes
    vectors: tuple[Path, ...] = ()
    """The same drawing in vector formats, where it was asked for."""


def pictures(runs: Sequence[RunRow]) -> list[Picture]:
    """The figures of one run of each variant (the first that completed), within `MOST` and `BYTES`."""
    first: dict[str, RunRow] = {}
    for run in runs:
        if run.completed:
            first.setdefault(run.variant, run)
    found: list[Picture] = []
    size = 0
    until = time.process_time() + SECONDS
    boundaries = cache(_share_boundaries)
    for run in first.values():
        saved = (run.path / "figures").is_dir()
        if not saved and time.process_time() > until:
            continue
        for title, png, *vectors in figures(run) if saved else draw_artifacts(run.artifacts, boundaries):
            if len(found) == MOST or size + len(png) > BYTES:
                return found
            seed = f", seed {run.seed_label}" if run.replicate else ""
            found.append(Picture(f"{title}{seed}", run.variant, png, tuple(vectors)))
            size += len(png)
    return found


def figures(run: RunRow) -> Iterator[tuple[Any, ...]]:
    """Title and content of each PNG under the run's `figures/`, and the vector files beside it."""
    for file in sorted((run.path / "figures").rglob("*.png")):
        try:
            png = file.read_bytes()
        except OSError as error:
            png = b""
            note(run.damage, Damaged(file, error.strerror or str(error)))
        if png.startswith(BEGIN) and png.endswith(END):
            beside = (file.parent / f"{file.stem}.{kind}" for kind in VECTOR)
            yield file.stem.replace("_", " "), png, *(path for path in beside if path.is_file())
        else:
            note(run.damage, Damaged(file, "it is no whole PNG image"))


def draw_artifacts(artifacts: Artifacts, boundaries: Callable[[], BoundaryPictures]) -> Iterator[tuple[Any, ...]]:
    """What can be seen only of a single run, drawn from its `artifacts/`: boundary or classes, and attention."""
    planar = artifacts.path("boundary").is_file()
    classes: Any = ("boundary", partial(_boundary, boundaries)) if planar else ("predictions", _classes)
    for name, draw in (classes, ("translations", _attention)):
        try:
            yield from list(draw(artifacts))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            why = f"it cannot be drawn ({type(error).__name__}: {error})"
            artifacts.leave_out(Damaged(artifacts.path(name), why))


def _share_boundaries() -> BoundaryPictures:
    """Matplotlib takes as long to load as all else of a page: only where there is a boundary to draw."""
    from probeta.figures.boundary import BoundaryPictures

    return BoundaryPictures("Decision boundary", DPI)


def _boundary(boundaries: Callable[[], BoundaryPictures], artifacts: Artifacts) -> Iterator[tuple[str, bytes]]:
    if (boundary := artifacts.boundary()) is not None:
        yield "decision boundary", boundaries().png(**boundary)


def _classes(artifacts: Artifacts) -> Iterator[tuple[str, bytes]]:
    if (arrays := artifacts.read("predictions")) is not None:
        from probeta.figures.run import classes_figure

        yield "confusion of classes", _png(classes_figure(arrays))


def _attention(artifacts: Artifacts) -> Iterator[tuple[str, bytes]]:
    if artifacts.path("translations").is_file():
        from probeta.figures.attention import attention_figure
        from probeta.figures.run import select_attended

        for sentence in select_attended(artifacts)[:2]:
            title = f"attention, {sentence['split']}"
            labelled = sentence["source"], sentence["hypothesis"], sentence["attention"]
            made = attention_figure(title, *labelled, sentence.get("reference"), sentence.get("gold"))
            yield title, _png(made)


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from probeta.figures.style import METADATA, own_settings, typeset

    content = io.BytesIO()
    figure.set_dpi(DPI)
    # `savefig` draws everything twice.
    with own_settings():
        FigureCanvasAgg(typeset(figure)).print_png(content, metadata=METADATA["png"])
    return content.getvalue()
