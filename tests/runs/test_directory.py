"""What a run's directory may say, and where what is written into it may lie."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from probeta.errors import RunDirectoryError
from probeta.runs.directory import RunDirectory, calls_resolver, hold_lock, is_locked


@pytest.mark.parametrize("text", ["1", "a ${b} c", "${a.b}", "${.a}", "${..a[0]}", "${a.${b}}", "${${a}}", "$a {b:c}"])
def test_references_to_other_keys_are_obeyed(text: str) -> None:
    assert not calls_resolver(text)


@pytest.mark.parametrize(
    "text",
    ["${oc.env:HOME}", "x${ oc.env : HOME }", "${oc.${a}:HOME}", "${${a}:HOME}", "${oc.${a.${b}}:HOME}", "${now:}"],
)
def test_resolvers_are_seen_however_their_name_is_put_together(text: str) -> None:
    assert calls_resolver(text)


@pytest.mark.parametrize("value", ["${oc.env:MINE}", "${oc.${lang}:MINE}", "ftp://${oc.${lang}:MINE}@elsewhere"])
def test_a_directory_s_configuration_reads_nothing_of_its_reader(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "secret")
    run = RunDirectory(tmp_path)
    run.config.parent.mkdir()
    tree = {"lang": "env", "trainer": {"precision": value}}
    assert "secret" in OmegaConf.create(tree).trainer.precision, "what is refused would otherwise be read"
    run.config.write_text(OmegaConf.to_yaml(tree))
    with pytest.raises(RunDirectoryError, match=r"trainer\.precision=.* is not obeyed"):
        run.load_config()


def test_a_link_to_a_folder_elsewhere_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    run = tmp_path / "run"
    (run / "artifacts").mkdir(parents=True)
    (run / "artifacts" / "text").symlink_to(tmp_path / "mine")
    with pytest.raises(RunDirectoryError, match=r"artifacts/text is a link to .*mine"), hold_lock(run):
        pytest.fail("the run was locked")
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_link_within_a_run_and_a_link_to_the_run_are_followed(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "latest").symlink_to("checkpoints")
    (tmp_path / "name").symlink_to(run)
    with hold_lock(tmp_path / "name"):
        assert is_locked(run)
