"""What a run leaves in `artifacts/` for reports, figures and exercises: every file's name and form, once.

Models hand over values by name (`Module.artifacts`); a name is that of the file without its ending, in two parts where
there is a file for each split: `boundary`, `errors.test`. Who reads gets `None`, or nothing, where a file is absent; a
page is written without one that is damaged too, and names it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from probeta.runs.atomic import atomic
from probeta.runs.cells import format_table
from probeta.runs.reading import CUT, Damaged, note, read_json, read_rows, read_table, read_text

VECTOR = ("svg", "pdf")
FIGURES = {"all": ("png",), "none": (), "png": ("png",), **dict.fromkeys(VECTOR, ("png", *VECTOR))}
"""`figures=…` → the formats that are drawn: pages show PNG and link to the vector files, which come together."""

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


def _read_arrays(path: Path) -> dict[str, Any] | None:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise Damaged(path, f"it cannot be read as arrays ({' '.join(str(error).split())[:160]})") from None


def _write_table(file: BinaryIO, rows: list[list[Any]]) -> None:
    """`rows`, the first of which names the columns."""
    file.write(format_table(rows).encode())


def _read_table(path: Path) -> list[dict[str, str]] | None:
    table = read_table(path, ("source", "hypothesis", "reference"))
    return None if table is None else [dict(zip(table[0], row, strict=True)) for row in table[1:]]


def _write_lines(file: BinaryIO, lines: list[str]) -> None:
    file.write("".join(f"{line}\n" for line in lines).encode())


def _read_lines(path: Path) -> list[str] | None:
    # A carriage return within a line ends none, and a line may be empty: a translation of no words.
    text = read_text(path, blank=True)
    if text is not None and not text.endswith("\n"):
        raise Damaged(path, CUT)
    return None if text is None else text.split("\n")[:-1]


def _json(read: Callable[[Path], Any], end: str = "", **style: Any) -> FileFormat:
    return FileFormat(".json", lambda file, value: _write_text(file, json.dumps(value, **style) + end), read)


def _read_mapping(path: Path) -> dict[str, Any] | None:
    return read_json(path, dict)


def _read_translations(path: Path) -> list[dict[str, Any]] | None:
    return read_rows(path, {"split": str, "source": list, "reference": list, "hypothesis": list})


def _read_maps(path: Path) -> list[dict[str, Any]] | None:
    return read_rows(path, {"split": str, "number": int, "cross": list})


def _read_cuts(path: Path) -> list[dict[str, Any]] | None:
    return read_rows(path, {"split": str, "number": int, "base": str, "links": dict, "words": dict, "heads": dict})


def _write_text(file: BinaryIO, text: str) -> None:
    file.write(text.encode())


ARRAYS = FileFormat(".npz", _write_arrays, _read_arrays)
LINES = FileFormat(".txt", _write_lines, _read_lines)
SOURCE = FileFormat(".py", _write_text, read_text)

FORMS = {
    # of classifiers
    "predictions": ARRAYS,  # <split>_logits (N, C) and <split>_y (N,) of validation and test; class_names (C,)
    "boundary": ARRAYS,  # x1 (G,), x2 (G,), probability (G, G) of class 1; points (N, 2), labels (N,), split (N,)
    "columns": _json(_read_mapping, ensure_ascii=False, indent=1),  # how the columns of a table became numbers
    # of translators
    # some sentences of each split, with attention and gold links
    "translations": _json(_read_translations, ensure_ascii=False),
    # of those, every layer's and head's weights
    "attention_maps": _json(_read_maps, ensure_ascii=False, separators=(",", ":")),
    # of some of those, what is written without a link, a source word, a head
    "interventions": _json(_read_cuts, ensure_ascii=False, separators=(",", ":")),
    "sources": LINES,  # these three by split, line by line each other's
    "hypotheses": LINES,
    "references": LINES,
    "analysis": _json(_read_mapping, end="\n", indent=1),  # by split: totals of what is wrong with the hypotheses
    "errors": FileFormat(".csv", _write_table, _read_table),  # by split: the same, one row per sentence, with its words
    "alignment": _json(_read_mapping),  # by split: attention against gold links
    "explanations": ARRAYS,  # what interventions on attention tell: see `interventions.survey.Survey`
    "groups": _json(_read_mapping),  # by split: scores by properties of the gold sentence
    # of every run
    "path": ARRAYS,  # epoch (E,), and weights (E, P) after it: where training went
    "landscape": ARRAYS,  # loss (G, G) at a (G,), b (G,); path_…: in the path's plane, path_at (E, 2)
    "model": SOURCE,  # of a net that was handed over in Python: to be read, never executed
    "origin": _json(_read_mapping, indent=1),  # of one that trains another further: which, and from where
    "data": _json(_read_mapping),  # arguments of the data whose meaning depends on where the command was given
}


def rests_on_end(source: Sequence[str], attention: Sequence[Sequence[float]] | None) -> bool:
    """Whether every word of a translation looked most at the source's `<eos>`: then it was aligned with no word."""
    return bool(attention) and source[-1] == "<eos>" and all(row[-1] == max(row) for row in attention or ())


@dataclass(frozen=True)
class Artifacts:
    """The files of the folder `artifacts/` of a run.

    A damaged one raises `Damaged` when it is read, or is named in `damage`, where that is given, and read as absent.
    """

    folder: Path
    damage: list[Damaged] | None = field(default=None, compare=False, repr=False)

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
        """What the file of `name` holds; `None` where it is absent."""
        return self._sound(lambda: FORMS[name.partition(".")[0]].read(self.path(name)))

    def _sound(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Damaged as damaged:
            return self.leave_out(damaged)

    def leave_out(self, damaged: Damaged) -> None:
        """Go on without the file of `damaged`, named in `damage`; or raise it."""
        if self.damage is None:
            raise damaged
        note(self.damage, damaged)

    def translations(self) -> list[dict[str, Any]]:
        """The kept translations, in the order of their sentences within each split."""
        return self.read("translations") or []

    def boundary(self) -> dict[str, Any] | None:
        """The arrays of the decision boundary, those beside `needed` only where the run wrote them."""
        arrays = self.read("boundary") or {}
        needed = ("x1", "x2", "probability", "points", "labels")
        optional = ("split", "predicted", "class_names", "feature_names")
        if not all(name in arrays for name in needed):
            return None
        return {name: arrays[name] for name in (*needed, *optional) if name in arrays}

    def vocabulary(self, side: str) -> list[str] | None:
        """The tokens that the `source` or `target` side knew; `None` where no text was kept."""
        return self._sound(lambda: read_vocabulary(self.text / TEXT, side))


def read_vocabulary(path: Path, side: str) -> list[str] | None:
    """Of the file `TEXT` the tokens of a side; `None` where there is no file."""
    content = read_json(path, dict)
    if content is None:
        return None
    language = content.get(side)
    tokens = language.get("vocabulary") if isinstance(language, dict) else None
    if not isinstance(tokens, list):
        raise Damaged(path, f"it has no vocabulary of the {side}")
    return tokens


def join_tokens(tokens: list[str]) -> str:
    """Running text: no marks of begin and end, and SentencePiece's pieces, of which ▁ begins a word, as words."""
    words = [token for token in tokens if token not in ("<bos>", "<eos>")]
    if any(word.startswith("▁") for word in words):
        return "".join(words).replace("▁", " ").strip()
    return " ".join(words)
