"""What is written is whole, lies where it is said to lie, and is readable to whom the user's umask lets read."""

import os
import stat

import pytest

from probeta.runs.atomic import atomic, write_atomic


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "result.json"
    path.symlink_to(tmp_path / "mine")
    write_atomic(path, "{}")
    assert path.read_text() == "{}"
    assert not path.is_symlink()
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_the_umasks(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_atomic(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


def test_what_fails_on_the_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "folder" / "best.ckpt"
    write_atomic(path, "before")

    def fails():
        with atomic(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert [p.name for p in path.parent.iterdir()] == ["best.ckpt"]
    assert path.read_text() == "before"
