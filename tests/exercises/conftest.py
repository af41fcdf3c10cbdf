"""Exercises in tiny versions, run once by the real command inside the test process."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from probeta.cli import main

SHORT = ("trainer.max_epochs=4", "data.n_samples=60")
WORDS = (
    "hydra/launcher=basic", "logger=none", "recipe.hidden_size=8", "recipe.embedding_size=6", "data.n_val=20",
    "data.n_test=20", "decoding.max_length=12", "decoding.sample=20", "trainer.max_epochs=1",
    "+trainer.limit_train_batches=2",
)  # fmt: skip
TINY: dict[int, tuple[str, ...]] = {
    1: ("trainer.max_epochs=4", "data.n_samples=20"),
    2: SHORT,
    3: ("trainer.max_epochs=4", "data.n_samples=300"),
    4: SHORT,
    5: ("trainer.max_epochs=3", "data.n_samples=60", "hydra/launcher=basic"),
    6: SHORT,
    7: ("probe.count=3", "probe.step_curve=false"),
    8: ("model.width=4", "model.depth=1", "probe.count=3"),
    9: SHORT,
    10: SHORT,
    11: SHORT,
    12: SHORT,
    13: SHORT,
    14: (*SHORT, "optimizer.lr=0.003,0.03", "optimizer.weight_decay=0,0.1"),
    15: ("probe.seeds=5", "probe.lengths=[3,9]", "probe.hidden_size=7"),
    16: WORDS,
    17: WORDS,
    18: tuple(word for word in WORDS if "hidden_size" not in word),  # its variants differ in it
}
"""Number of an exercise → the overrides that make it small; two seeds each."""

Row = dict[str, str]
Exercise = Callable[[int], Path]


@pytest.fixture(scope="session")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Exercise:
    """`exercise(9)` → the folder of the exercise's tiny version, which ran once."""
    root = tmp_path_factory.mktemp("exercises")

    @cache
    def run(number: int) -> Path:
        status = main(["exercise", str(number), f"output_dir={root}", "seed=1,2", *TINY[number]])
        assert status == 0
        return next(root.glob(f"{number:02d}_*"))

    return run


def runs(folder: Path) -> list[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """Folder, result.json and whole configuration of each run, read by json and yaml alone."""
    found = []
    for path in sorted(folder.glob("*/result.json")):
        config = yaml.safe_load((path.parent / ".hydra" / "config.yaml").read_text())
        found.append((path.parent, json.loads(path.read_text()), config))
    return found


def table(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
