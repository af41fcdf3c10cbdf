"""What a run leaves in `artifacts/` for reports, figures and exercises: every file's name and form, once.

Models hand over values by name (`Module.artifacts`); a name is that of the file without its ending, in two parts where
there is a file for each split: `boundary`, `errors.test`. Who reads gets `None`, or nothing, where a file is absent or
damaged: a page is written without it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from probeta.runs.atomic import atomic
from probeta.runs.cells import format_table, read_table

TEXT = "text.json"
"""In `artifacts/text/`: tokenizers and vocabularies of both languages."""


@dataclass(frozen=True)
class FileFormat:
    """How values of one kind become a file, and what a file says."""

    ending: str
    write: Callable[[BinaryIO, Any], None]
    read: Callable[[Path], Any]


def _write_arrays(file: BinaryIO, arrays: Mapping[str, Any]) -> None:
    import numpy as np

    np.savez_compressed(file, **arrays)


def _read_arrays(path: Path) -> dict[str, Any]:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _write_table(file: BinaryIO, rows: list[list[Any]]) -> None:
    """`rows`, the first of which names the columns."""
    file.write(format_table(rows).encode())


def _read_table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return read_table(file)


def _write_lines(file: BinaryIO, lines: list[str]) -> None:
    file.write("".join(f"{line}\n" for line in lines).encode())


def _read_lines(path: Path) -> list[str]:
    # As bytes: a carriage return within a line ends none.
    return path.read_bytes().decode("utf-8").split("\n")[:-1]


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _json(end: str = "", **style: Any) -> FileFormat:
    return FileFormat(".json", lambda file, value: _write_text(file, json.dumps(value, **style) + end), _read_json)


def _write_text(file: BinaryIO, text: str) -> None:
    file.write(text.encode())


ARRAYS = FileFormat(".npz", _write_arrays, _read_arrays)
LINES = FileFormat(".txt", _write_lines, _read_lines)

FORMS = {
    # of classifiers
    "predictions": ARRAYS,  # <split>_logits (N, C) and <split>_y (N,) of validation and test
    "boundary": ARRAYS,  # x1 (G,), x2 (G,), probability (G, G) of class 1; points (N, 2), labels (N,), split (N,)
    # of translators
    "translations": _json(ensure_ascii=False),  # some sentences of each split, with attention and gold links
    "attention_maps": _json(ensure_ascii=False, separators=(",", ":")),  # of those, every layer's and head's weights
    "sources": LINES,  # these three by split, line by line each other's
    "hypotheses": LINES,
    "references": LINES,
    "analysis": _json(end="\n", indent=1),  # by split: totals of what is wrong with the hypotheses
    "errors": FileFormat(".csv", _write_table, _read_table),  # by split: the same, one row per sentence, with its words
    "alignment": _json(),  # by split: attention against gold links
    "groups": _json(),  # by split: scores by properties of the gold sentence
    # of every run
    "data": _json(),  # arguments of the data whose meaning depends on where the command was given
}


@dataclass(frozen=True)
class Artifacts:
    """The files of the folder `artifacts/` of a run."""

    folder: Path

    @property
    def text(self) -> Path:
        """The folder of the tokenizers and vocabularies, which a translator leaves."""
        return self.folder / "text"

    def path(self, name: str) -> Path:
        """The file that holds `name`."""
        return self.folder / f"{name}{FORMS[name.partition('.')[0]].ending}"

    def write(self, values: Mapping[str, Any]) -> None:
        """Write each value under its name."""
        for name, value in values.items():
            with atomic(self.path(name)) as file:
                FORMS[name.partition(".")[0]].write(file, value)

    def read(self, name: str) -> Any:
        """What the file of `name` holds; `None` where it is absent or damaged."""
        try:
            return FORMS[name.partition(".")[0]].read(self.path(name))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None

    def translations(self) -> list[dict[str, Any]]:
        """The kept translations, in the order of their sentences within each split."""
        return self.read("translations") or []

    def boundary(self) -> dict[str, Any] | None:
        """The arrays of the decision boundary, `split` and `predicted` only where the run wrote them."""
        arrays = self.read("boundary") or {}
        needed = ("x1", "x2", "probability", "points", "labels")
        if not all(name in arrays for name in needed):
            return None
        return {name: arrays[name] for name in (*needed, "split", "predicted") if name in arrays}

    def vocabulary(self, side: str) -> list[str] | None:
        """The tokens that the `source` or `target` side knew; `None` where no text was kept."""
        try:
            return list(_read_json(self.text / TEXT)[side]["vocabulary"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
