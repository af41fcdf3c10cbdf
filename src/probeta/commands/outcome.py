"""What the reader sees when a run has ended: figures in a table, and where everything is."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rich.table import Table

from probeta.runs.artifacts import join_tokens
from probeta.runs.directory import RunDirectory
from probeta.runs.record import read_sound_result
from probeta.runs.terminal import plain_console, print_table

SHOWN = ("loss", "loss_free", "acc", "bleu", "bleu_sentence", "chrf", "exact_match")


MOST = 20
"""Rows of a table of metrics."""


def print_outcome(path: Path) -> None:
    """The table of the run in `path`."""
    for table in outcome_tables(path):
        print_table(table)
    console = plain_console()
    places: list[tuple[str, Path | str]] = [("run", path), ("figures", path / "figures")]
    if any(path.glob("events.out.tfevents*")):
        places.append(("TensorBoard", shlex.join(["tensorboard", "--logdir", shorten_path(path)])))
    for name, place in places:
        if not isinstance(place, Path) or place.exists():
            console.print(f"{name:<12}{shorten_path(place)}", highlight=False, soft_wrap=True)


def outcome_tables(path: Path) -> list[Table]:
    """The metrics of the run in `path` by split, and some of its translations."""
    metrics = (read_sound_result(path) or {}).get("metrics")
    tables = [metrics_table(metrics)] if metrics else []
    if translations := RunDirectory(path).artifacts.translations():
        tables.append(translations_table(translations))
    return tables


def shorten_path(place: Path | str) -> str:
    """A path as short as it can be typed."""
    if isinstance(place, str):
        return place
    try:
        return str(place.relative_to(Path.cwd()))
    except ValueError:
        return str(place)


def metrics_table(metrics: dict[str, Any]) -> Table:
    """One row per split, one column per metric; of a probe, which has no splits, a row per metric."""
    splits = [s for s in ("train", "val", "test") if any(name.startswith(f"{s}/") for name in metrics)]
    columns = [m for m in SHOWN if any(f"{s}/{m}" in metrics for s in splits)]
    if not columns:
        table = Table("", "value", header_style="bold")
        for name, value in list(metrics.items())[:MOST]:
            table.add_row(name, format_number(value))
        if len(metrics) > MOST:
            table.add_row(f"… and {len(metrics) - MOST} more", "")
        return table
    table = Table("", *columns, title=None, header_style="bold")
    for split in splits:
        table.add_row(split, *(format_number(metrics.get(f"{split}/{m}")) for m in columns))
    return table


def format_number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def translations_table(rows: list[dict[str, Any]], most: int = 8) -> Table:
    """Unseen sentences first: they are what the numbers are about."""
    order = {"test": 0, "val": 1, "train": 2}
    rows = sorted(rows, key=lambda row: order.get(row["split"], 3))
    unseen = [row for row in rows if row["split"] != "train"][: most // 2]
    chosen = [*unseen, *(row for row in rows if row["split"] == "train")][:most]
    table = Table("split", "source", "translation", "reference", header_style="bold")
    for row in chosen:
        table.add_row(
            row["split"], *(clip_words(join_tokens(row[key]).split()) for key in ("source", "hypothesis", "reference"))
        )
    return table


def clip_words(words: list[str], most: int = 16) -> str:
    return " ".join(words[:most]) + (" …" if len(words) > most else "")
