"""Completed runs are skipped only while what they read is what it was."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from probeta.config.trust import sources_sha256
from probeta.data.parallel_text import ParallelTextData
from probeta.errors import RunDirectoryError
from probeta.runs.directory import RunDirectory
from probeta.sweeps.inputs import Inputs


@dataclass
class Job:
    path: Path
    resolved: dict[str, Any]


def write_corpus(root: Path) -> ParallelTextData:
    root.mkdir()
    for ending in ("en", "de"):
        (root / f"train.{ending}").write_text("".join(f"word{i} {ending}\n" for i in range(40)))
    return ParallelTextData(str(root), "en", "de", cache=str(root / "cache"))


def test_the_fingerprint_is_the_hash_that_the_run_records(tmp_path: Path) -> None:
    data = write_corpus(tmp_path / "corpus")
    data.setup()
    assert data.fingerprint() == data.sha256()


def test_a_completed_run_on_other_data_is_refused_with_what_may_be_done(tmp_path: Path) -> None:
    data = write_corpus(tmp_path / "corpus")
    run = RunDirectory(tmp_path / "run")
    run.artifacts.folder.mkdir(parents=True)
    run.artifacts.write({"data": data.record(run.artifacts.folder)})
    node = {"_target_": "probeta.data.parallel_text.ParallelTextData", "root": str(data.root)}
    job: Any = Job(run.path, {"data": {**node, "source": "en", "target": "de"}})
    result = {"data_sha256": data.fingerprint()}
    Inputs().refuse_changed(job, result)
    (data.root / "train.de").write_text((data.root / "train.de").read_text().replace("word7", "wort"))
    with pytest.raises(RunDirectoryError, match="other data than there is now: rerun=true"):
        Inputs().refuse_changed(job, result)
    (data.root / "train.de").unlink()
    Inputs().refuse_changed(job, result)  # what is gone changes no result that is there


def test_a_change_of_a_trusted_package_is_seen_wherever_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ownlab"
    (package / "nets").mkdir(parents=True)
    for file in (package / "__init__.py", package / "nets" / "base.py"):
        file.write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert sources_sha256([]) is None
    assert sources_sha256(["torch"]) is None, "installed packages have versions"
    before = sources_sha256(["ownlab.nets"])
    assert before == sources_sha256(["ownlab"])
    job: Any = Job(tmp_path / "run", {"data": {"_target_": "probeta.data.moons.MoonsData"}, "trust": ["ownlab"]})
    Inputs().refuse_changed(job, {"sources_sha256": before})
    Inputs().refuse_changed(job, {})  # of a version that recorded none
    (package / "nets" / "base.py").write_text("SIZE = 3")
    assert sources_sha256(["ownlab"]) != before
    with pytest.raises(RunDirectoryError, match="other source of the packages in trust"):
        Inputs().refuse_changed(job, {"sources_sha256": before})
    assert "ownlab.nets" not in sys.modules
