"""`probeta keys`: every key has a meaning, and the table says what the constructors say."""

from __future__ import annotations

import importlib.resources
import inspect
import re
from pathlib import Path

import probeta.conf
import pytest

from probeta.cli import main
from probeta.commands.keys import find_keys
from probeta.config.keys import arguments

ROOT = Path(str(importlib.resources.files(probeta.conf)))
GROUPS = ("attention", "callbacks", "data", "decoding", "logger", "model", "optimizer", "probe", "scheduler", "trainer")
LAUNCHERS = ("basic", "joblib", "vectorized", "ray", "submitit_local", "submitit_slurm")


def is_told(meaning: str) -> bool:
    """Whether it says something by itself: not what another class says, nor a whole docstring."""
    return bool(meaning) and not meaning.startswith(("as in", "Args:"))


def find_unexplained() -> dict[str, str]:
    """Key → an option that has it, for the keys without a meaning."""
    options = [f"{group}={file.stem}" for group in GROUPS for file in sorted((ROOT / group).glob("*.yaml"))]
    options += ["study=regularization", *(f"hydra/launcher={name}" for name in LAUNCHERS)]
    options += [f"hydra/sweeper={name}" for name in ("probeta", "optuna")]
    return {key.path: option for option in options for key in find_keys([option]) if not is_told(key.meaning)}


@pytest.mark.slow
def test_every_key_of_every_option_has_a_meaning() -> None:
    assert find_unexplained() == {}, "an Args line of the constructor, or a comment in train.yaml, says what a key is"


def read(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[list[str]]:
    """The cells of what is printed, below the heading."""
    assert main(["keys", *arguments]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["key", "value", "type", "meaning"]
    return [re.split(r"  +", line, maxsplit=3) for line in lines]


def test_an_argument_is_told_by_its_constructor(capsys: pytest.CaptureFixture[str]) -> None:
    rows = read(capsys, "optimizer.lr", "data.imbalance", "trainer.strategy", "data=moons", "optimizer.lr=0.3")
    told = {key: (value, kind, meaning) for key, value, kind, meaning in rows}
    assert told["optimizer.lr"][:2] == ("0.3", "a number")
    assert told["optimizer.lr"][2].startswith("learning rate")
    assert told["+trainer.strategy"][:2] == ("auto", "text"), "not set in the configuration, so written with +"
    assert told["data.imbalance"][2].startswith("`imbalance` is the share of class 1")
    assert list(told) == ["+trainer.strategy", "optimizer.lr", "data.imbalance"]


def test_a_key_of_no_constructor_is_told_by_the_primary_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert read(capsys, "seeds.order", "seed") == [
        ["seed", "42", "a whole number", "initialisation, shuffling, noise in training"],
        ["seeds.order", "null", "a whole number or null", "of the batches"],
    ]


def test_a_study_is_told_by_its_reader_and_a_launcher_by_its_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    told = {row[0]: row[1:] for row in read(capsys, "study=regularization", "study")}
    assert told["study.reference"][:2] == ["baseline", "text or null"]
    assert told["+study.max_seeds"] == ["100", "a whole number", "where until=decided ends in any case, from 3."]
    assert not any(key.startswith("study.variants.") for key in told), "names below it are the user's"
    assert all(len(row) == 3 for key, row in told.items() if key not in ("study.question", "+study.title"))
    ours = {row[0]: row[1:] for row in read(capsys, "hydra/launcher=vectorized", "hydra.launcher")}
    assert ours["hydra.launcher.fallback"][0] == "joblib"
    theirs = {row[0]: row[-1] for row in read(capsys, "hydra/launcher=submitit_slurm", "hydra.launcher")}
    assert theirs["hydra.launcher.mem_gb"] == "memory to reserve for the job on each node (in GB)"
    assert theirs["hydra.launcher.qos"] == "as sbatch --qos"


def test_a_node_brings_the_keys_below_it_and_a_probe_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [row[0] for row in read(capsys, "probe=depth", "probe")]
    assert keys[0] == "probe"
    assert {"probe.depths", "probe.width"} <= set(keys)
    assert all(key.split(".")[0] == "probe" for key in keys)


def test_arguments_are_read_as_google_and_pytorch_write_them() -> None:
    doc = """Sum.

    Args:
        size: how many,
            over two lines.

            And a second paragraph.
        low, high (float, optional): bounds (default: (0, 1))
        *more: anything

    Raises:
        ValueError: never
    """
    assert arguments(inspect.cleandoc(doc)) == {
        "size": "how many, over two lines.",
        "low": "bounds (default: (0, 1))",
        "high": "bounds (default: (0, 1))",
        "more": "anything",
    }
