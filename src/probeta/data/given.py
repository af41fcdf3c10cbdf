"""Data that were handed over in Python: kept in a file of their own, and a copy in every run's directory."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from probeta.data.codec import LanguageCodec, TextCodec
from probeta.data.datamodule import DataModule
from probeta.data.division import Division
from probeta.data.labelled import LabelledData, Split, class_counts, split_examples
from probeta.data.spec import PointsSpec
from probeta.data.text import TextData
from probeta.data.tokenizers import WhitespaceTokenizer
from probeta.errors import ConfigError, DataError, check_whole
from probeta.runs.atomic import write_atomic

KEPT_FOLDER = ".given"
"""Of what was handed over in Python, beside the runs."""

KEPT = re.compile(r"(given|[0-9a-f]{16})\.(npz|json)")


class GivenFile(DataModule):
    """What datasets share that are read from one file, named by its content."""

    file: str
    located: ClassVar[tuple[str, ...]] = ("file",)

    def files(self) -> Path:
        # A directory may come from elsewhere: it names no other file of the reader's.
        if not KEPT.fullmatch(Path(self.file).name):
            raise ConfigError.value("data.file", self.file, "a file that probeta kept of data handed over in Python")
        if not Path(self.file).is_file():
            raise DataError(f"data.file={self.file} does not exist")
        return Path(self.file)

    def record(self, folder: Path) -> dict[str, str]:
        return {"file": copy_given(self.files(), folder)}


class GivenPoints(GivenFile, LabelledData):
    """Points and their classes from the arrays `x (N, features)` and `y (N,)` of a .npz file, split 60/20/20.

    Args:
        file: what `keep_points` wrote.
        seed: of the split, which is stratified by class.
        batch_size: points in a training batch; null for the full batch.
        folds, fold, limit: as in `probeta.data.division.Division`.
    """

    def __init__(
        self,
        file: str,
        seed: int = 42,
        batch_size: int | None = None,
        folds: int | None = None,
        fold: int | None = None,
        limit: int | None = None,
    ) -> None:
        super().__init__(Division(seed, folds, fold, limit), batch_size)
        self.file = file

    def draw(self) -> Mapping[str, Split]:
        with np.load(self.files(), allow_pickle=False) as arrays:
            x, y = arrays["x"].astype(np.float32), arrays["y"].astype(np.int64)
        self.classes = int(y.max()) + 1
        return split_examples(x, y, self.division)

    @property
    def spec(self) -> PointsSpec:
        train = self.splits["train"]
        return PointsSpec(train.x.shape[1], self.classes, class_counts=class_counts(train, self.classes))


class GivenPairs(GivenFile, TextData):
    """Sentence pairs from a JSON list `[[source, target], …]`; words are what stands between spaces.

    Args:
        file: what `keep_pairs` wrote.
        seed: which pairs are held out: a tenth, at least one, for validation and as many for test.
        lowercase: whether case is dropped.
        batch_size: pairs in a training batch; null for the full batch.
    """

    def __init__(self, file: str, seed: int = 42, lowercase: bool = True, batch_size: int | None = 16) -> None:
        super().__init__(batch_size=batch_size)
        self.file, self.seed, self.lowercase = file, check_whole("seed", seed, 0, 2**32 - 1), lowercase

    def prepare(self) -> None:
        pairs = json.loads(self.files().read_text(encoding="utf-8"))
        order = np.random.default_rng(self.seed).permutation(len(pairs))
        held = max(1, len(pairs) // 10)
        rows = {"val": order[:held], "test": order[held : 2 * held], "train": np.sort(order[2 * held :])}
        texts = {name: tuple([pairs[i][side] for i in chosen] for side in (0, 1)) for name, chosen in rows.items()}
        source, target = (LanguageCodec.build(WhitespaceTokenizer(self.lowercase), lines) for lines in texts["train"])
        self.fill(TextCodec(source, target), {name: (a, b) for name, (a, b) in texts.items()})


def keep_points(x: Any, y: Any, folder: Path) -> Path:
    """Write `x (N, features)` and the classes `y (N,)` (numbers or names) as `GivenPoints` reads them.

    Raises `ConfigError` where they do not fit together, or a number is missing.
    """
    points = np.asarray(x, dtype=np.float64)
    names, labels = np.unique(np.asarray(y), return_inverse=True)
    if points.ndim != 2 or labels.shape != points.shape[:1]:
        raise ConfigError(f"data=(X, y): X is {points.shape} and y {labels.shape}, not (N, features) and (N,)")
    if not np.isfinite(points).all():
        row, column = np.argwhere(~np.isfinite(points))[0]
        raise ConfigError(
            f"data=(X, y): row {row}, column {column} of X is {points[row, column]}: fill or leave it out"
        )
    if (few := np.bincount(labels).min()) < 5 or len(names) < 2:
        raise ConfigError(
            f"data=(X, y): {len(names)} classes, the rarest with {few} points: from 2 classes of 5 points"
        )
    content = io.BytesIO()
    np.savez(content, x=points, y=labels, names=names.astype(str))
    digest: NDArray[Any] = np.concatenate([points.ravel(), labels.astype(np.float64)])
    return _kept(content.getvalue(), hashlib.sha256(digest.tobytes()).hexdigest(), folder, ".npz")


def keep_table(frame: Any, folder: Path) -> Path:
    """Write a data frame as `TableData` reads it; what type a column has is told apart, by `list_texts`."""
    content = frame.to_csv(index=False).encode()
    return _kept(content, hashlib.sha256(content).hexdigest(), folder, ".csv")


def list_texts(frame: Any) -> list[str]:
    """The columns of a data frame that hold text, or are of type category: digits are no numbers there."""
    from pandas.api.types import infer_dtype

    kinds = {name: infer_dtype(frame[name], skipna=True) for name in frame.columns}
    return [name for name, kind in kinds.items() if kind == "string" or kind.startswith(("mixed", "categ"))]


def keep_pairs(pairs: Any, folder: Path) -> Path:
    """Write `[(source, target), …]` as `GivenPairs` reads them; `ConfigError` where they are no pairs of text."""
    lines = [tuple(pair) for pair in pairs]
    for number, pair in enumerate(lines):
        if len(pair) != 2 or not all(isinstance(side, str) and side.strip() for side in pair):
            raise ConfigError(f"data=[(source, target), …]: number {number} is {pair!r}, not two texts")
    if len(lines) < 3:
        raise ConfigError(f"data=[(source, target), …]: {len(lines)} pairs, from 3 on: each split needs one")
    content = json.dumps(lines, ensure_ascii=False).encode()
    return _kept(content, hashlib.sha256(content).hexdigest(), folder, ".json")


def copy_given(file: Path, folder: Path) -> str:
    """Copy what was handed over, once, into `folder` of a run; the name by which the run's directory records it."""
    copy = folder / f"given{file.suffix}"
    if not copy.is_file():
        write_atomic(copy, file.read_bytes(), sync=False)
    return f"{folder.name}/{copy.name}"


def _kept(content: bytes, digest: str, folder: Path, ending: str) -> Path:
    path = (folder / KEPT_FOLDER / f"{digest[:16]}{ending}").absolute()
    if not path.is_file():
        write_atomic(path, content)
    return path
