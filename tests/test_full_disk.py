"""A disk that fills during a run or a sweep: files are named, records stay true, and with more room it goes on."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from probeta.callbacks.checkpoint import Checkpoint
from probeta.cli import main

pytestmark = pytest.mark.slow

MOONS = ["data=moons", "data.n_samples=60", "data.batch_size=15", "trainer.max_epochs=3", "trainer=cpu", "figures=none"]
SWEEP = ["-m", *MOONS, "optimizer.lr=0.1,0.01", "seed=1,2", "name=sweep"]
FULL = "No space left on device"

Resize = Callable[[int], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A folder on a disk of its own, and what gives that disk so many kilobytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")

    def resize(kilobytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(place)], check=True)

    yield place, resize
    subprocess.run(["umount", "--lazy", str(place)], check=True)  # a writer's thread may hold its file


def record(folder: Path) -> dict[str, Any]:
    """The `result.json` of a run; nothing where there is none. One that is there is whole."""
    path = folder / "result.json"
    read: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return read


def call(*line: str) -> int:
    """The exit status of a command."""
    try:
        return main(["train", *line])
    except SystemExit as ended:
        return int(ended.code or 0)


def half_written(place: Path) -> list[Path]:
    return [path for path in place.rglob(".*") if re.fullmatch(r"\..*\.[0-9a-f]{16}", path.name)]


@pytest.mark.parametrize("kilobytes", [4, 12, 20, 28, 44, 60, 76])
def test_a_run_names_the_file_and_goes_on_with_more_room(
    disk: tuple[Path, Resize], kilobytes: int, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    place, resize = disk
    monkeypatch.setattr(Checkpoint, "due", property(lambda self: True))
    assert call(*MOONS, f"hydra.run.dir={tmp_path / 'calm'}") == 0
    calm = record(tmp_path / "calm")
    resize(kilobytes)
    run = place / "run"
    capsys.readouterr()
    status = call(*MOONS, f"hydra.run.dir={run}")
    said = capsys.readouterr().err
    assert status == 2, said
    [told] = [line for line in said.splitlines() if line.startswith("probeta: ")]
    assert FULL in told
    assert str(run) in told
    assert "Traceback" not in said
    assert "Logging error" not in said
    assert record(run).get("status") in (None, "failed")
    assert half_written(place) == []
    resize(10_000)
    if (run / "checkpoints" / "last.ckpt").is_file():
        assert call(f"resume={run}") == 0
        assert (run / "metrics.csv").read_bytes() == (tmp_path / "calm" / "metrics.csv").read_bytes()
    else:
        run = place / "again"
        assert call(*MOONS, f"hydra.run.dir={run}") == 0
    assert {**record(run), **TIMELESS} == {**calm, **TIMELESS}


TIMELESS = {"duration_s": 0, "fit_s": 0, "error": None}


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "summary.csv", newline="") as file:
        read = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if key not in TIMELESS} for row in read]


@pytest.mark.parametrize("kilobytes", [40, 120, 260, 420])
def test_a_sweep_names_the_files_and_goes_on_with_more_room(
    disk: tuple[Path, Resize], kilobytes: int, tmp_path: Path, capsys: Any
) -> None:
    place, resize = disk
    assert call(*SWEEP, f"output_dir={tmp_path / 'calm'}") == 0
    calm = {path.parent.name: record(path.parent) for path in (tmp_path / "calm").rglob("result.json")}
    resize(kilobytes)
    capsys.readouterr()
    status = call(*SWEEP, f"output_dir={place}")
    out = capsys.readouterr()
    assert status in (1, 2), out
    assert FULL in out.out + out.err
    assert "Traceback" not in out.out + out.err
    assert half_written(place) == []
    before = {path.parent: record(path.parent) for path in place.rglob("result.json")}
    for folder, result in before.items():
        assert result["status"] in ("completed", "failed")
        if result["status"] == "completed":
            assert result["metrics"] == calm[folder.name]["metrics"]
        else:
            assert FULL in result["error"]["message"]
            assert str(folder) in result["error"]["message"]
    resize(20_000)
    assert call(*SWEEP, f"output_dir={place}") == 0
    assert rows(place / "sweep") == rows(tmp_path / "calm" / "sweep")
    assert (place / "sweep" / "groups.csv").read_bytes() == (tmp_path / "calm" / "sweep" / "groups.csv").read_bytes()
    for folder, result in before.items():
        assert result["status"] == "failed" or record(folder) == result, "a completed job was run again"
