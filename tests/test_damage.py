"""Every file of a run and of a sweep, damaged in every way: each command goes on rightly, or says which file it was.

A case is right where the command says and leaves what it does of the undamaged directory, and named where a line or
two name the file and the command ends with 2, or goes on without it. It is never a traceback, a message without a
file, or another result without a word.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probeta.callbacks.checkpoint import Checkpoint
from probeta.cli import main

MOONS = [
    "data=moons", "data.n_samples=60", "data.batch_size=15", "trainer.max_epochs=3", "trainer=auto", "figures=none",
]  # fmt: skip
TEXT = [
    "data=parallel_text", "data.root=text", "data.source=en", "data.target=de", "data.size=20", "data.batch_size=12",
    "model=transformer", "model.hidden_size=8", "model.heads=2", "model.encoder_layers=1", "model.decoder_layers=1",
    "model.feed_forward=8", "recipe.max_length=8", "trainer.max_epochs=2", "trainer=auto", "figures=none",
]  # fmt: skip
INTO = ["-m", "output_dir=outputs", *MOONS]

MADE = {
    "classifier": ["train", *MOONS, "hydra.run.dir=outputs/classifier"],
    "translator": ["train", *TEXT, "hydra.run.dir=outputs/translator"],
    "classifier_cut": ["train", *MOONS, "hydra.run.dir=outputs/classifier_cut"],
    "translator_cut": ["train", *TEXT, "hydra.run.dir=outputs/translator_cut"],
    "sweep": ["train", *INTO, "optimizer.lr=0.1,0.01", "seed=1,2", "name=sweep"],
    "search": [
        "train", *INTO, "hydra/sweeper=optuna", "optimizer.lr=interval(0.01,0.1)", "hydra.sweeper.n_trials=2",
        "callbacks=search", "callbacks.pruning.every_n_epochs=1", "name=search",
    ],
}  # fmt: skip
"""Directory → the command that makes it; those that are cut end at a signal, in the middle of training."""

COMMANDS = [
    ("evaluate", "classifier"), ("evaluate", "translator"), ("report", "classifier"), ("report", "translator"),
    ("report", "sweep"), ("report", "search"), ("resume", "classifier_cut"), ("resume", "translator_cut"),
    ("repeat", "sweep"), ("repeat", "search"),
]  # fmt: skip
SAMPLE = [("evaluate", "translator"), ("report", "translator"), ("resume", "classifier_cut"), ("repeat", "sweep")]
WAYS = ("empty", "cut", "zeroed", "wrong type", "deleted")

WRONG = {".json": b"7\n", ".yaml": b"- 1\n- 2\n", ".csv": b'{"a": 1}\n', ".txt": b"\xff\xfe\n"}
"""Content of another kind, by a file's ending; of all others, a line of text."""

MAY_LACK = (
    "events.out",
    "run.log",
    "hydra.yaml",
    "metrics.csv",
    "boundary.npz",
    "translations.json",
    "attention_maps.json",
)
"""What a run leaves or does not (`logger=none`, `checkpoints=none`, another model): without it a page has no such
picture, and nothing is said. What decides a number is no such file."""


@dataclass
class Outcome:
    """How a command ended: its exit status, what it said, what it left."""

    status: int
    said: str
    left: dict[str, Any]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the directories of `MADE`, made where they are used, so that paths in them are the same."""
    root = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        write_text(root / "text")
        for name, line in MADE.items():
            with pytest.MonkeyPatch.context() as pressed:
                if name.endswith("_cut"):
                    pressed.setattr(Checkpoint, "on_train_batch_end", press_at(6 if "classifier" in name else 4))
                status, said = call(line)
            assert status == (130 if name.endswith("_cut") else 0), said
        (root / "outputs").rename(root / "kept")
        yield root


def write_text(folder: Path) -> None:
    """Numbers in words, and their translation word by word."""
    folder.mkdir()
    for side, words in (("en", "zero one two three"), ("de", "null eins zwei drei")):
        rows = ([words.split()[int(digit)] for digit in np.base_repr(n * 37 % 64, 4).zfill(3)] for n in range(40))
        text = "".join(f"{' '.join(row[: 1 + n % 3])}\n" for n, row in enumerate(rows))
        (folder / f"train.{side}").write_text(text, encoding="utf-8")


def press_at(step: int) -> Any:
    answer = Checkpoint.on_train_batch_end

    def press(self: Checkpoint, trainer: Any, *arguments: Any) -> None:
        answer(self, trainer, *arguments)
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return press


def call(line: list[str]) -> tuple[int, str]:
    """Exit status and output of a command, log lines included."""
    said = io.StringIO()
    logger = logging.getLogger()
    before = logger.handlers[:]
    logger.handlers[:] = [logging.StreamHandler(said)]
    try:
        with redirect_stdout(said), redirect_stderr(said):
            return main(line), said.getvalue()
    finally:
        logger.handlers[:] = before


def carry_out(command: str, name: str) -> Outcome:
    folder = Path("outputs", name)
    lines = {
        "evaluate": ["evaluate", f"run={folder}"],
        "report": ["report", str(folder)],
        "resume": ["train", f"resume={folder}"],
        "repeat": MADE[name],
    }
    status, said = call(lines[command])
    return Outcome(status, timeless(said), left_by(command, folder))


def timeless(text: str) -> str:
    """`text` without what a clock, or the size of a damaged file, says."""
    return re.sub(r"\d+(\.\d+)? s\b|[\d.]+ MB", "…", text)


def left_by(command: str, folder: Path) -> dict[str, Any]:
    """What a reader takes from the directory after the command."""
    if command == "evaluate":
        return {}
    if command == "resume":
        result = json.loads((folder / "result.json").read_text() or "{}") if is_record(folder) else {}
        read = {key: result.get(key) for key in ("status", "metrics", "overrides", "config_sha256", "weights_sha256")}
        return {**read, "curves": read_bytes(folder / "metrics.csv")}
    rows = list(csv.DictReader(io.StringIO((read_bytes(folder / "summary.csv") or b"").decode())))
    table = [{key: value for key, value in row.items() if key not in ("duration_s", "fit_s")} for row in rows]
    page = timeless((read_bytes(folder / "report.html") or b"").decode())
    page = re.sub(r'<td data-sort="[\d.e-]+">[^<]*</td>\s*</tr>', "", page)  # how long a run took
    return {"summary": table, "groups": read_bytes(folder / "groups.csv"), "page": page}


def is_record(folder: Path) -> bool:
    try:
        return isinstance(json.loads((folder / "result.json").read_bytes()), dict)
    except ValueError:
        return False


def read_bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def fresh(kept: Path, name: str) -> Path:
    shutil.rmtree(kept / "outputs", ignore_errors=True)
    return Path(shutil.copytree(kept / "kept" / name, kept / "outputs" / name))


def files_of(kept: Path, name: str) -> list[Path]:
    """The files of a directory, relative to it; of a sweep those of one of its jobs, which are alike."""
    folder = kept / "kept" / name
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file() and p.name != ".lock")
    if name in ("sweep", "search"):
        job = next(p.parts[0] for p in files if len(p.parts) > 1)
        files = [p for p in files if len(p.parts) == 1 or p.parts[0] == job]
    return files


def damage(path: Path, way: str) -> None:
    content = path.read_bytes()
    if way == "deleted":
        path.unlink()
    elif way == "wrong type":
        path.write_bytes(b"a: 1\n" if path.name == "overrides.yaml" else WRONG.get(path.suffix, b"something else\n"))
    else:
        path.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "zeroed": bytes(len(content))}[way])


def fault(path: Path, way: str, outcome: Outcome, sound: Outcome) -> str | None:
    """What is wrong with how a command met a damaged file; `None` where it is right, or named."""
    same = outcome.left == sound.left and outcome.status == sound.status
    if same and outcome.said == sound.said:
        return None
    before = set(sound.said.splitlines())
    named = [line for line in outcome.said.splitlines() if path.name in line and line not in before]
    if "Traceback" in outcome.said:
        return "a traceback"
    if way == "deleted":
        if outcome.status == sound.status and path.name.startswith(MAY_LACK):
            # Another page at most: the numbers are those of the undamaged.
            same = all(outcome.left[key] == sound.left[key] for key in outcome.left if key not in ("page", "curves"))
            return None if same else "another result"
        if path.name == "result.json" and re.search("not finished|from the start|go on|goes on", outcome.said):
            return None  # no record: the run is one that has not finished, and is called so
    if not 1 <= len(named) <= 2:
        return f"the file is named in {len(named)} lines"
    if outcome.status not in (2, sound.status):
        return f"exit status {outcome.status}"
    return None


def check(kept: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str, one_way: bool) -> None:
    """Damage each file of `name` in every way; or every third, in a way that changes from file to file."""
    monkeypatch.chdir(kept)
    fresh(kept, name)
    sound = carry_out(command, name)
    assert sound.status == 0, sound.said
    faults = []
    for number, path in enumerate(files_of(kept, name)[:: 3 if one_way else 1]):
        for way in WAYS[number % 5 : number % 5 + 1] if one_way else WAYS:
            damage(fresh(kept, name) / path, way)
            outcome = carry_out(command, name)
            if found := fault(path, way, outcome, sound):
                new = [line for line in outcome.said.splitlines() if line not in sound.said]
                faults.append(f"{path} {way}: {found}, status {outcome.status}; new: {' | '.join(new)[-300:]}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("command", "name"), SAMPLE)
def test_a_damaged_file_is_named_or_does_no_harm(
    kept: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    check(kept, monkeypatch, command, name, one_way=True)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), COMMANDS)
def test_every_file_may_be_damaged_in_every_way(
    kept: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    check(kept, monkeypatch, command, name, one_way=False)
