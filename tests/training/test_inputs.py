"""Runs are skipped, or gone on with, only while what they read is what it was."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from probeta.callbacks.checkpoint import Checkpoint
from probeta.config.trust import sources_sha256
from probeta.data.parallel_text import ParallelTextData
from probeta.errors import RunDirectoryError
from probeta.runs.directory import RunDirectory
from probeta.runs.signals import Interrupted
from probeta.training.inputs import Inputs
from probeta.training.task import resume


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
    tree: dict[str, Any] = {"data": {**node, "source": "en", "target": "de"}}
    result = {"data_sha256": data.fingerprint()}
    Inputs().refuse_changed(run, tree, result)
    (data.root / "train.de").write_text((data.root / "train.de").read_text().replace("word7", "wort"))
    with pytest.raises(RunDirectoryError, match="was completed with other data than there is now: rerun=true"):
        Inputs().refuse_changed(run, tree, result)
    (data.root / "train.de").unlink()
    Inputs().refuse_changed(run, tree, result)  # what is gone changes no result that is there


def test_an_interrupted_run_goes_on_only_with_the_data_it_began_with(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `resume` compares before anything is written, and as a sweep does before it continues a job."""
    data = write_corpus(tmp_path / "corpus")
    answer = Checkpoint.on_train_epoch_end

    def cut(self: Checkpoint, trainer: Any, module: Any) -> None:
        self.save(trainer)
        answer(self, trainer, module)
        raise Interrupted(2)

    monkeypatch.setattr(Checkpoint, "on_train_epoch_end", cut)
    text = [f"data.root={data.root}", "data.source=en", "data.target=de", f"data.cache={tmp_path / 'cache'}"]
    with pytest.raises(Interrupted):
        train("data=parallel_text", *text, "model.hidden_size=4", "trainer=cpu", "trainer.max_epochs=2")
    monkeypatch.undo()
    run, kept = RunDirectory(tmp_path / "run"), (data.root / "train.de").read_text()
    (data.root / "train.de").write_text(kept.replace("word7", "wort"))
    before = run.result.read_bytes()
    with pytest.raises(RunDirectoryError, match="was interrupted with other data than there is now"):
        resume(str(run.path))
    tree: Any = OmegaConf.to_container(run.load_config())
    with pytest.raises(RunDirectoryError, match="was interrupted with other data than there is now: rerun=true"):
        Inputs().refuse_changed(run, tree)
    assert run.result.read_bytes() == before
    (data.root / "train.de").write_text(kept)
    shutil.rmtree(tmp_path / "cache")
    assert resume(str(run.path))["status"] == "completed"


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
    run = RunDirectory(tmp_path / "run")
    tree: dict[str, Any] = {"data": {"_target_": "probeta.data.moons.MoonsData"}, "trust": ["ownlab"]}
    Inputs().refuse_changed(run, tree, {"sources_sha256": before})
    Inputs().refuse_changed(run, tree, {})  # of a version that recorded none
    (package / "nets" / "base.py").write_text("SIZE = 3")
    assert sources_sha256(["ownlab"]) != before
    with pytest.raises(RunDirectoryError, match="other source of the packages in trust"):
        Inputs().refuse_changed(run, tree, {"sources_sha256": before})
    assert "ownlab.nets" not in sys.modules
