"""One look for every figure: told apart by line and marker as well as colour, and readable in print.

The colours are those of Okabe & Ito (2008), which colour-blind readers can tell apart; line styles and
markers carry the same distinction where there is no colour. Only the object interface is used: no
figure is global, nothing has to be closed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, MaxNLocator, NullFormatter, ScalarFormatter

from probeta.runs.atomic import write_atomic

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
INK, FAINT = "#222222", "#b8b8b8"
SEQUENTIAL = "cividis"
DPI = 150

# Switched on where a figure is made and written and nowhere for good: a caller's own settings stay.
SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.0,
    "mathtext.fontset": "dejavusans",
    "path.simplify": True,
    "svg.hashsalt": "probeta",
    "figure.dpi": DPI,
}


@contextmanager
def own_settings() -> Iterator[None]:
    """Matplotlib's defaults and ours on top, whatever the reader's matplotlibrc says (LaTeX, resolution, sizes)."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def escape_mathtext(text: str) -> str:
    """`text` drawn as it stands: two dollar signs in a sentence are no formula."""
    return str(text).replace("$", r"\$")


def escape_all(texts: Iterable[str]) -> list[str]:
    return [escape_mathtext(text) for text in texts]


def thin_ticks(axis: Axis) -> None:
    """Labels of a logarithmic axis that have room: matplotlib labels up to nine a decade where the axis is short."""
    low, high = axis.get_view_interval()
    if axis.get_scale() == "log" and 0 < low < high:
        if high / low < 100:
            powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
            steps = (1, 2, 5) if high / low > 5 else range(1, 10)
            places = [place for power in powers for step in steps if low <= (place := step * 10.0**power) <= high]
            if len(places) < 2:
                places = [float(place) for place in MaxNLocator(4).tick_values(low, high) if low <= place <= high]
            axis.set_major_locator(FixedLocator(places))
            axis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(math.inf, math.inf)))
        axis.set_minor_formatter(NullFormatter())


def typeset(drawn: Figure) -> Figure:
    """No text by LaTeX: artists remember the settings of the moment that they were made in."""
    for text in drawn.findobj(Text):
        text.set_usetex(False)
    for axes in drawn.axes:
        for axis in (axes.xaxis, axes.yaxis):
            thin_ticks(axis)
            if isinstance(formatter := axis.get_major_formatter(), ScalarFormatter):
                formatter.set_usetex(False)
    return drawn


@dataclass(frozen=True)
class Look:
    """How the `i`-th of several things is drawn."""

    colour: str
    line: Any
    marker: str


def choose_look(i: int) -> Look:
    return Look(COLOURS[i % len(COLOURS)], LINES[i % len(LINES)], MARKERS[i % len(MARKERS)])


def figure(
    title: str, rows: int = 1, columns: int = 1, width: float = 6.4, height: float = 4.0, **grid: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of `rows × columns` panels (row by row), in inches, with its title on top."""
    with own_settings():
        drawn = Picture(figsize=(width, height), layout="constrained", dpi=DPI, facecolor="white")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(rows, columns, squeeze=False, **grid)
    drawn.suptitle(escape_mathtext(title), fontsize=11, color=INK)
    axes = [panel for row in panels for panel in row]
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(True, color="#e6e6e6", linewidth=0.6)
        panel.set_axisbelow(True)
        panel.tick_params(labelsize=9, colors=INK)
    return drawn, axes


def label_axes(axes: Axes, x: str, y: str, title: str | None = None) -> None:
    axes.set_xlabel(x, fontsize=10, color=INK)
    axes.set_ylabel(y, fontsize=10, color=INK)
    if title:
        axes.set_title(escape_mathtext(title), fontsize=10, color=INK)


def legend(axes: Axes, columns: int = 1, **place: Any) -> None:
    """Long dashes in the key: a line style must be recognisable there."""
    axes.legend(fontsize=9, frameon=False, handlelength=3.2, ncols=columns, **place)


def legend_below(drawn: Figure, columns: int = 1) -> None:
    """One key for the whole figure, under it: for panels that have no empty corner."""
    handles, names = drawn.axes[0].get_legend_handles_labels()
    drawn.legend(handles, names, loc="outside lower center", fontsize=9, frameon=False, handlelength=3.2, ncols=columns)


def save(drawn: Figure, path: Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Write `path` with each of the `formats` as its ending, once; the same figure gives the same bytes."""
    written = {kind: path.parent / f"{path.name}.{kind}" for kind in formats}
    for kind, target in written.items():
        write_atomic(target, render(drawn, kind), sync=False)
    return list(written.values())


METADATA: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
"""By kind of file: without dates and matplotlib's version, so that the same figure gives the same bytes."""


def render(drawn: Figure, kind: str = "png") -> bytes:
    """The figure as a file of that kind."""
    content = io.BytesIO()
    with own_settings():
        typeset(drawn)
        drawn.savefig(content, format=kind, metadata=METADATA.get(kind))
    return content.getvalue()


class Picture(Figure):
    """A figure that notebooks show, whichever back end they draw with."""

    def _repr_png_(self) -> bytes:
        return render(self)
