from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import probeta.conf
import pytest
from omegaconf import DictConfig, OmegaConf

from probeta.config.build import KEYS, PARTS
from probeta.config.switches import check_switches
from probeta.errors import ConfigError
from probeta.runs.identity import SWEEP_SWITCHES, SWITCHES

ABSENT = {
    "train": {"probe", "run"},
    "probe": {"resume", "extend", "checkpoints", "compile", "recipe", "seeds", "trainer", "callbacks"},
}
"""Keys that the other command's configuration has."""


@pytest.mark.parametrize("command", ["train", "probe"])
def test_a_command_s_configuration_has_every_key_and_no_other(command: str) -> None:
    config = OmegaConf.load(Path(str(files(probeta.conf))) / f"{command}.yaml")
    assert isinstance(config, DictConfig)
    groups = {str(key) for entry in config.defaults if isinstance(entry, DictConfig) for key in entry}
    options = {group for group in groups if not group.startswith("override ")} - {"experiment"}
    keys = {str(key) for key in config} - {"defaults", "hydra"}
    assert (keys | options) == set(KEYS) - ABSENT[command]


def test_a_key_is_a_part_or_a_switch() -> None:
    assert not set(PARTS) & set(SWITCHES)
    assert set(SWEEP_SWITCHES) < set(SWITCHES)


@pytest.mark.parametrize("line", ["rerun=1", "fail_fast=maybe", "retries=-1", "retries=1.5", "lang=xx"])
def test_a_switch_that_cannot_be_obeyed_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match=line.partition("=")[0]):
        check_switches(OmegaConf.from_dotlist([line]))
