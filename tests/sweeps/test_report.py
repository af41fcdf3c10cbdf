"""A report is written again where it would come out differently, and only there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from probeta.sweeps.report import read_report, write_report
from tests.report.synthetic import write_grid, write_run


def edit_result(root: Path) -> None:
    path = next(root.glob("*/result.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "metrics": {"test/loss": 77.0}}))


CHANGES: dict[str, Callable[[Path], Any]] = {
    "another result": edit_result,
    "one run more": lambda root: write_run(root, ["optimizer.lr=5.0", "seed=1"], {"test/loss": 1.0}),
    "one run less": lambda root: next(root.glob("lr=0.1*")).rename(root.parent / "elsewhere"),
    "another question": lambda root: (root / "sweep.json").write_text('{"question": "Why?"}'),
    "no page": lambda root: (root / "report.html").unlink(),
    "a page of someone else's": lambda root: (root / "report.html").write_text("<p>mine</p>"),
    "a cut table": lambda root: (root / "summary.csv").write_text("variant"),
    "no stamp": lambda root: (root / ".report").unlink(),
}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    root = tmp_path / "sweep"
    root.mkdir()
    write_grid(root, {"optimizer.lr": [0.1, 0.2]}, [1, 2], epochs=2)
    return root


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_written_again(sweep: Path, change: Callable[[Path], Any]) -> None:
    assert read_report(sweep) is None
    written = write_report(sweep)
    assert read_report(sweep) == written
    change(sweep)
    assert read_report(sweep) is None
    assert read_report(sweep) != write_report(sweep) == read_report(sweep)


def test_another_language_is_another_report(sweep: Path) -> None:
    write_report(sweep)
    assert read_report(sweep, "es") is None
    assert write_report(sweep, "es") == read_report(sweep, "es")


def test_a_run_that_has_begun_may_change(sweep: Path) -> None:
    (sweep / "seed=9" / ".hydra").mkdir(parents=True)
    write_report(sweep)
    assert read_report(sweep) is None
