"""What a translation looked at, as a notebook shows it: the panel of a translator's page, for one sentence."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from probeta.report.attention import panel
from probeta.report.language import Language

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Attention:
    """The weights `(T, S)` with which each of T target tokens was chosen, on S source tokens; each row sums to 1."""

    text: str
    translation: str
    source: list[str]
    """S tokens as the model read them, `<bos>` and `<eos>` among them."""
    target: list[str]
    """T tokens."""
    weights: NDArray[np.float64]
    language: Language = field(default_factory=Language)

    def figure(self) -> Figure:
        """The weights as a heat map: a row for each target token, a column for each source token."""
        from probeta.figures.attention import attention_figure
        from probeta.report.figure_words import translate_figure

        drawn = attention_figure(self.translation, self.source, self.target, self.weights)
        return translate_figure(drawn, self.language)

    def __repr__(self) -> str:
        width = max(map(len, self.target), default=0)
        rows = (f"{word:>{width}}  ← {self.source[int(row.argmax())]} {row.max():.2f}" for word, row in self._rows())
        return "\n".join([f"{self.text} → {self.translation}", *rows])

    def _rows(self) -> list[tuple[str, NDArray[np.float64]]]:
        return list(zip(self.target, self.weights, strict=True))

    def _repr_html_(self) -> str:
        entry: dict[str, Any] = {
            "source": self.source,
            "target": self.target,
            "gold": None,
            "weights": [[[[round(1000 * w) for w in row] for row in self.weights.tolist()]]],
        }
        page = panel({"split": "", "text": self.text, "reference": "", "by": [entry]}, self.language)
        return f'<iframe srcdoc="{html.escape(page)}" style="width:100%;height:30rem;border:0"></iframe>'
