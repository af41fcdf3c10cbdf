"""The attention of one translation as a figure."""

from __future__ import annotations

from pathlib import Path

from probeta.errors import ConfigError
from probeta.figures.attention import attention_figure
from probeta.figures.style import save
from probeta.inference.translator import Translation


def draw_heatmap(translation: Translation, path: Path) -> None:
    """Write the weights to `path` (.png, .svg, .pdf); `ConfigError` where there are none, or for another ending."""
    if translation.attention is None:
        raise ConfigError("heatmap= needs a model with attention, and this run has none")
    if not translation.tokens:
        raise ConfigError("heatmap= needs a translation, and this one is empty")
    formats = ("png", "svg", "pdf")
    if path.suffix.lstrip(".") not in formats:
        raise ConfigError.value("heatmap", path, "a file that ends in .png, .svg or .pdf")
    figure = attention_figure("Attention", translation.source, translation.tokens, translation.attention)
    save(figure, path.with_suffix(""), (path.suffix.lstrip("."),))
