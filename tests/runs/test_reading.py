"""What is missing is told from what is damaged, and damage names its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probeta.runs.reading import Damaged, read_config, read_json, read_lines
from probeta.runs.record import read_result, read_sound_result

READERS: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "mapping": (lambda path: read_json(path, dict), '{"status": "completed"}', "[1]"),
    "list": (lambda path: read_json(path, list), "[1, 2]", "{}"),
    "overrides": (read_lines, "- seed=1\n- 'data=moons'\n", "a: [1"),
    "configuration": (read_config, "seed: 1\ndata: {name: moons}\n", "- 1\n"),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_sound_file_is_read_and_a_missing_one_is_none(kind: str, tmp_path: Path) -> None:
    read, sound, _ = READERS[kind]
    (tmp_path / "file").write_text(sound)
    assert read(tmp_path / "file")
    assert read(tmp_path / "nothing") is None
    assert read(tmp_path / "file" / "below") is None


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("how", ["empty", "zeroed", "cut", "wrong", "bytes", "link", "folder"])
def test_a_damaged_file_is_named(kind: str, how: str, tmp_path: Path) -> None:
    read, sound, wrong = READERS[kind]
    path = tmp_path / "file"
    if how == "link":
        path.symlink_to(tmp_path / "nowhere")
    elif how == "folder":
        path.mkdir()
    else:
        damaged = {"empty": b" \n", "zeroed": bytes(len(sound)), "cut": b"{", "wrong": wrong.encode(), "bytes": b"\xff"}
        path.write_bytes(damaged[how])
    with pytest.raises(Damaged, match=r"is damaged: \S") as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['{"metrics": {}}', '{"status": 1}', '{"status": "completed", "metrics": []}', '{"status": "x", "error": 1}'],
)
def test_a_record_of_other_kinds_is_damaged(text: str, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(Damaged, match=r"result\.json is damaged"):
        read_result(tmp_path)
    assert read_sound_result(tmp_path) is None
