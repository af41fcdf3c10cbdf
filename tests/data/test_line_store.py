"""What streams to the disk gets its name when it is whole, and replaces a link instead of following it."""

from pathlib import Path

import numpy as np
import pytest

from probeta.data.line_store import Lines, LineWriter
from probeta.data.sequence_writer import SequenceWriter, open_sequences, translate_ids


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder with a link under every name that the writers use."""
    (tmp_path / "mine").write_text("precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("text", "text.starts.npy", "train.ids", "train.ids.new", "train.offsets.npy"):
        (folder / name).symlink_to(tmp_path / "mine")
    return folder


def test_streams_replace_links_and_leave_what_they_point_to(linked: Path) -> None:
    with LineWriter(linked / "text") as writer:
        for line in ("one", "", "größer"):
            writer.write(line)
    with SequenceWriter(linked, "train", "int32") as sequences:
        sequences.write([[1, 2], [], [0]])
    translate_ids(linked, "train", "int32", np.array([5, 6, 7], "uint16"))
    assert list(Lines(linked / "text")) == ["one", "", "größer"]
    read = open_sequences(linked, "train", "uint16")
    assert [read[row].tolist() for row in range(3)] == [[6, 7], [], [5]]
    assert (linked.parent / "mine").read_text() == "precious"


@pytest.mark.parametrize("writer", [lambda f: LineWriter(f / "text"), lambda f: SequenceWriter(f, "train", "int32")])
def test_a_stream_that_ends_early_leaves_nothing(writer, tmp_path: Path) -> None:
    def fails() -> None:
        with writer(tmp_path) as stream:
            stream.write("12")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert list(tmp_path.iterdir()) == []
