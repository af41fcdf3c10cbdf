"""Translations as a TensorBoard table, and their attention as images, while a translator learns."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from probeta.callbacks.images import find_writer, is_due
from probeta.errors import check_whole


class Translations(pl.Callback):
    """Every `every_n_epochs` epochs: `sentences` of training and of validation, translated greedily.

    The table stands beside its references under TEXT; where the model attends, the first sentence's weights
    are an image. Does nothing for other models; a search draws no random number.
    """

    draws = True

    def __init__(self, every_n_epochs: int = 50, sentences: int = 8) -> None:
        self.every_n_epochs = check_whole("every_n_epochs", every_n_epochs)
        self.sentences = check_whole("sentences", sentences)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = find_writer(trainer)
        if writer is None or not hasattr(pl_module, "search") or not is_due(trainer, self.every_n_epochs):
            return
        training = pl_module.training
        pl_module.eval()
        for split in ("train", "val"):
            rows = self.translate(pl_module, trainer.datamodule, split)  # type: ignore[attr-defined]
            writer.add_text(f"translations/{split}", format_table(rows), trainer.global_step)
            if rows and rows[0]["attention"]:
                self.draw(writer, split, rows[0], trainer)
        pl_module.train(training)

    def translate(self, model: Any, data: Any, split: str) -> list[dict[str, Any]]:
        count = min(self.sentences, len(data.references(split)))
        batch = data.encode([data.sources(split)[row] for row in range(count)])
        hypotheses = model.search(batch.source.to(model.device), beam_size=1, need_weights=True)
        return [model.translation(split, row, hypotheses[row], data) for row in range(count)]

    @staticmethod
    def draw(writer: Any, split: str, row: dict[str, Any], trainer: pl.Trainer) -> None:
        from probeta.figures.attention import attention_figure

        title = f"Attention, epoch {trainer.current_epoch + 1}"
        figure = attention_figure(title, row["source"], row["hypothesis"], row["attention"], row["reference"])
        writer.add_figure(f"attention/{split}", figure, trainer.global_step, close=False)


def format_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: TensorBoard's text tab renders it."""
    lines = ["| source | translation | reference |", "|---|---|---|"]
    for row in rows:
        source = " ".join(t for t in row["source"] if t not in ("<bos>", "<eos>"))
        lines.append(
            f"| {source} | {' '.join(row['hypothesis'])} | {' '.join(row['reference'])} |".replace("<", "&lt;")
        )
    return "\n".join(lines)
