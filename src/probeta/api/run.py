"""A run as an object: what it measured, its curves and pictures, and its model as a function."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from probeta.api.attention import Attention
from probeta.api.isolation import restore_process
from probeta.commands.outcome import outcome_tables
from probeta.errors import ConfigError
from probeta.models.given import hand_over
from probeta.report.language import Language
from probeta.runs.command import command
from probeta.runs.directory import RunDirectory
from probeta.runs.record import read_result
from probeta.runs.row import read_curves
from probeta.runs.table import read_sweep
from probeta.runs.terminal import plain_console

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from probeta.data.datamodule import DataModule
    from probeta.inference.load_run import LoadedRun
    from probeta.inference.translator import TextTranslator
    from probeta.models.module import Module

TABLE = "font-family:monospace;line-height:1.2;white-space:pre;overflow-x:auto"
"""Frames of rich's tables close, whatever a notebook does to `<pre>`."""

SHOWN = ("loss", "accuracy", "bleu", "exact_match")
"""Figures that a notebook shows of a run; of one that has none of them, as a probe, its first."""


class Run:
    """The run in the directory `path`, whatever its state. What it cost to make is read when it is asked for.

    Args:
        path: a run directory, of a training or a probe.
        trust: packages of your own that its configuration may build from.
        model: the class of a net that was handed over to `train`, to load its weights into.
        lang: language of its figures, `en` or `es`.

    Raises:
        RunDirectoryError: there is no run in `path`.
    """

    def __init__(
        self, path: str | Path, trust: Sequence[str] = (), model: type[nn.Module] | None = None, lang: str = "en"
    ) -> None:
        self.path = RunDirectory.existing(path).path
        self.language = Language(lang)
        self.trust = list(trust)
        self.net = model

    @cached_property
    def result(self) -> dict[str, Any]:
        """What `result.json` holds; empty where the run has not ended."""
        return read_result(self.path) or {}

    @property
    def status(self) -> str:
        """`completed`, `failed`, `interrupted`, or `not finished`."""
        return str(self.result.get("status", "not finished"))

    @property
    def metrics(self) -> dict[str, Any]:
        """Final metrics by name, as `test/acc`."""
        return dict(self.result.get("metrics") or {})

    @property
    def command(self) -> str:
        """The command that makes the same run, as its page shows it."""
        [row] = read_sweep(self.path).runs
        return command(row)

    @property
    def origin(self) -> Run | None:
        """The run that this one trained further (`extend=DIR`), where it still is; `None` where there is none."""
        path = (self.result.get("extended_from") or {}).get("run")
        return Run(path, self.trust, self.net, self.language.code) if path and Path(path).is_dir() else None

    def curves(self) -> pd.DataFrame:
        """What was logged in each epoch: a row for each epoch (from 1), a column for each metric."""
        import pandas as pd

        frame = pd.DataFrame(read_curves(self.path)).sort_index()
        frame.index = pd.Index(frame.index + 1, name="epoch")
        return frame

    def measurements(self) -> pd.DataFrame:
        """The table that a probe left: a row for each measurement."""
        import pandas as pd

        file = self.path / "measurements.csv"
        if not file.is_file():
            raise ConfigError(f"{self.path} has no measurements: only probes leave them")
        return pd.read_csv(file)

    def figures(self) -> dict[str, Figure]:
        """Every figure that the run left data for, by name."""
        from probeta.figures.run import make_figures
        from probeta.report.figure_words import translate_figure

        return {name: translate_figure(drawn, self.language) for name, drawn in make_figures(self.path).items()}

    def figure(self, name: str) -> Figure:
        """One of `figures`: `loss`, `accuracy`, `boundary` … `ConfigError` for one that there is not."""
        figures = self.figures()
        if name not in figures:
            raise ConfigError.unknown("figure", name, figures)
        return figures[name]

    @cached_property
    def loaded(self) -> LoadedRun:
        """The run with its kept weights; `RunDirectoryError` where it has none."""
        from probeta.inference.load_run import load_run

        with restore_process(), hand_over(self.net):
            return load_run(self.path, self.trust)

    @property
    def model(self) -> Module:
        """The kept weights, in evaluation mode."""
        return self.loaded.model

    @property
    def tree(self) -> dict[str, Any]:
        """The configuration, resolved."""
        return self.loaded.tree

    @property
    def data(self) -> DataModule:
        """The datamodule, set up; content that has changed since the run is refused."""
        return self.loaded.data

    def predict(self, points: Any) -> pd.DataFrame:
        """`(N, features)` points → their most probable `class`, and the probability `p0`, `p1` … of each.

        Of a run on a table a data frame with its columns → `class` and `p_<class>`.
        Raises `ConfigError` where the run is no classifier, `DataError` for points of another size.
        """
        import pandas as pd

        from probeta.inference.predict import predict
        from probeta.inference.predict_table import predict_frame

        if isinstance(points, pd.DataFrame) and self.loaded.kept is not None:
            return predict_frame(self.loaded, points, "the data frame")
        probabilities = np.asarray(predict(self.loaded, np.asarray(points, dtype=float).tolist()))
        frame = pd.DataFrame(probabilities, columns=[f"p{c}" for c in range(probabilities.shape[1])])
        frame.insert(0, "class", probabilities.argmax(axis=1))
        return frame

    @cached_property
    def translator(self) -> TextTranslator:
        """The model as a function of text; `RunDirectoryError` where the run is no translator."""
        from probeta.inference.translator import make_translator

        return make_translator(self.loaded)

    def translate(self, texts: Sequence[str], **search: Any) -> list[str]:
        """The translation of each of `texts`; a blank one stays blank.

        Args:
            texts: lines of source text.
            search: other settings of the search than the run's: `beam_size`, `max_length`, `length_penalty` …
        """
        if isinstance(texts, str):
            raise ConfigError("texts is a list: translate(['…'])")
        translator = self.translator
        return replace(translator, decoding=replace(translator.decoding, **search))(texts)

    def attention(self, text: str) -> Attention:
        """What each word of the translation of `text` looked at; `ConfigError` where the model has no attention."""
        [best] = self.translator.translate([text], need_weights=True)
        if not best:
            raise ConfigError("text is blank: it has no translation")
        if best[0].attention is None:
            raise ConfigError(f"{self.path} has no attention: the source reaches the decoder as one vector")
        found = best[0]
        return Attention(text, found.text, found.source, found.tokens, np.asarray(found.attention), self.language)

    def __repr__(self) -> str:
        # A kernel asks for colours, which would stand in its HTML as escape sequences.
        console = plain_console(file=io.StringIO(), width=100, color_system=None)
        console.print(f"{self.status}: {self.path}", soft_wrap=True)
        for table in outcome_tables(self.path):
            console.print(table)
        written = console.file
        assert isinstance(written, io.StringIO)
        return written.getvalue().rstrip()

    def _repr_html_(self) -> str:
        figures = self.figures()
        names = [name for name in SHOWN if name in figures] or list(figures)[: len(SHOWN)]
        pictures = "".join(inline(figures[name], name) for name in names)
        return f'<pre style="{TABLE}">{escape(repr(self))}</pre>{pictures}'


def inline(figure: Figure, name: str) -> str:
    """A figure as an image that stands in the page itself."""
    from probeta.figures.style import render

    data = base64.b64encode(render(figure)).decode()
    return f'<img alt="{escape(name)}" style="max-width:100%" src="data:image/png;base64,{data}">'
