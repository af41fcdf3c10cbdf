from __future__ import annotations

from pathlib import Path

import pytest

from probeta.commands import align, predict, translate
from probeta.commands.arguments import NEW
from probeta.errors import ConfigError

WRITTEN = [
    (command, key)
    for command, accepted in ((align, align.ACCEPTED), (predict, predict.ARGUMENTS), (translate, translate.ACCEPTED))
    for key, text in accepted.items()
    if text.startswith(NEW)
]


def test_what_the_commands_write_is_known() -> None:
    assert [f"{command.__name__.rsplit('.', 1)[-1]} {key}" for command, key in WRITTEN] == [
        "align output", "predict output", "translate output", "translate heatmap", "translate alignment",
    ]  # fmt: skip


@pytest.mark.parametrize(("command", "key"), WRITTEN)
def test_no_file_that_is_there_is_written_over(command: object, key: str, tmp_path: Path) -> None:
    """Before anything is loaded: the run of this test does not exist."""
    (tmp_path / "precious.png").write_text("precious")
    (tmp_path / "link.png").symlink_to(tmp_path / "gone")
    for name, told in (
        ("precious.png", "does not exist yet"),
        ("link.png", "does not exist yet"),
        ("precious.png/a.png", r"precious\.png is no folder"),
    ):
        with pytest.raises(ConfigError, match=told):
            command.main([f"run={tmp_path / 'no'}", f"{key}={tmp_path / name}"])  # type: ignore[attr-defined]
    assert (tmp_path / "precious.png").read_text() == "precious"


def test_two_results_need_two_files() -> None:
    with pytest.raises(ConfigError, match=r"output and alignment are the same file, \./a"):
        translate.main(["run=no", "input=in", "output=a", "alignment=./a"])
