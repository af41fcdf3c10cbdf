"""What a finished run prints: words, whatever the tokens were."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from probeta.commands.outcome import print_outcome, translations_table


def test_sentences_that_training_did_not_see_come_first() -> None:
    row = {
        "source": ["<bos>", "▁a", "▁d", "og", "<eos>"],
        "hypothesis": ["▁ein", "▁Hund"],
        "reference": ["ein", "Hund"],
    }
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(translations_table([{**row, "split": "train"}, {**row, "split": "test"}]))
    lines = [line for line in console.export_text().splitlines() if "dog" in line]
    assert ["test" in line for line in lines] == [True, False]
    assert all("ein Hund" in line for line in lines)


def test_tensorboard_is_named_where_there_is_something_to_see(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_outcome(tmp_path)
    assert "TensorBoard" not in capsys.readouterr().out
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"")
    print_outcome(tmp_path)
    assert "tensorboard --logdir" in capsys.readouterr().out
