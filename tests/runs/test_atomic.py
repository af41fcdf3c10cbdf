"""What is written is whole, lies where it is said to lie, and is readable to whom the user's umask lets read."""

import errno
import json
import os
import re
import resource
import stat
import subprocess
import sys

import pytest

from probeta.runs.atomic import atomic, name_failures, write_atomic


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


def test_what_cannot_be_written_to_its_end_is_named(tmp_path):
    path = tmp_path / "best.ckpt"
    with pytest.raises(OSError, match=re.escape(str(path))), atomic(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    def as_torch_does():
        try:
            raise OSError(errno.EFBIG, "File too large")
        finally:
            raise RuntimeError("unexpected pos 64 vs 0")

    with pytest.raises(OSError, match=re.escape(str(path))), name_failures(path):
        as_torch_does()
    with pytest.raises(RuntimeError, match="another"), name_failures(path):
        raise RuntimeError("another")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [1, 4, 10, 30])
def test_a_run_whose_files_may_not_grow_names_the_file_in_one_line(tmp_path, kilobytes):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, 1024 * kilobytes))

    command = [sys.executable, "-m", "probeta", "train", "experiment=moons_mlp", "trainer.max_epochs=2"]
    command += ["figures=none", f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode in (1, 2)
    told = [line for line in done.stderr.splitlines() if line.startswith("probeta: ")]
    assert len(told) == 1
    assert str(tmp_path / "run") in told[0]
    assert "File too large" in told[0]
    assert "Logging error" not in done.stderr
    record = tmp_path / "run" / "result.json"
    assert not record.exists() or json.loads(record.read_text())["status"] == "failed"
