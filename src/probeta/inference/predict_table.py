"""A table in, the same table with the class and its probabilities out."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from probeta.data.columns import Columns
from probeta.data.table_file import read_rows, read_table
from probeta.errors import ConfigError
from probeta.inference.load_run import LoadedRun
from probeta.inference.predict import check_classifier, probabilities

if TYPE_CHECKING:
    import pandas as pd


def predict_frame(run: LoadedRun, frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """`class` and `p_<class>` of each row of `frame`; `DataError` where it lacks a column or holds no number."""
    import pandas as pd

    model, columns = check_classifier(run), run.kept
    if not isinstance(columns, Columns):
        raise ConfigError(f"run={run.path} reads points, not a table: x=[[…]] or lines of numbers")
    found = probabilities(model, columns.encode(frame, origin))
    names = [f"p_{name}" for name in columns.classes]
    told = pd.DataFrame(found, columns=names, index=frame.index)
    told.insert(0, "class", [columns.classes[c] for c in found.argmax(axis=1)])
    return told


def predict_file(run: LoadedRun, path: Path, out: TextIO) -> None:
    """The rows of `path` as they stand there, each followed by what the run says of it.

    A column that the file has already keeps its name: the new one is called `predicted_class`, say.
    """
    frame = read_table(path, run.kept.texts if isinstance(run.kept, Columns) else ())
    told = predict_frame(run, frame, str(path))
    names = [f"predicted_{name}" if name in frame.columns else name for name in told.columns]
    if path.suffix == ".parquet":
        told = told.astype(object).map(lambda v: v if isinstance(v, str) else f"{v:.6f}")
        frame.assign(**dict(zip(names, (told[name] for name in told.columns), strict=True))).to_csv(out, index=False)
        return
    writer = csv.writer(out, lineterminator="\n")
    rows = read_rows(path)
    writer.writerow([*next(rows), *names])
    for row, (name, *shares) in zip(rows, told.itertuples(index=False), strict=True):
        writer.writerow([*row, name, *(f"{p:.6f}" for p in shares)])
