"""Chunks that are ended in the middle, and go on: each member to the bits of the chunk that never was."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from probeta.runs.signals import Interrupted
from probeta.vectorized.checkpoint import ChunkCheckpoint, restore, take_up
from probeta.vectorized.job import Job
from probeta.vectorized.loop import Ensemble
from probeta.vectorized.member import Member
from probeta.vectorized.program import Program
from probeta.vectorized.train_jobs import finish_run
from tests.sweeps.command import environment
from tests.vectorized.runs import changed, members_of, tree_of
from tests.vectorized.test_launcher import sweep
from tests.vectorized.test_loop import OPTIMIZER_NODES, SCHEDULES, moons

SGD, NESTEROV, ADAM, _ = OPTIMIZER_NODES
PATH = {"_target_": "probeta.callbacks.path.WeightPath", "most": 3}


def small_moons(optimizer: dict[str, Any], **shared: Any) -> list[dict[str, Any]]:
    """Three steps an epoch: one stops early, one diverges, one has no momentum and follows a schedule, one goes on."""
    own: list[dict[str, Any]] = [
        {
            "callbacks.early_stopping.patience": 3,
            "callbacks.early_stopping.min_delta": 0.03,
            "scheduler": SCHEDULES["plateau"],
        },
        {"callbacks.early_stopping.patience": None, "optimizer.lr": 1e300},
        {
            "callbacks.early_stopping.patience": 1,
            "callbacks.early_stopping.min_delta": 0.03,
            "scheduler": SCHEDULES["cosine"],
        },
        {"callbacks.early_stopping.patience": None, "scheduler": SCHEDULES["plateau"]},
    ]
    if "momentum" in optimizer and not optimizer.get("nesterov"):
        own[2]["optimizer.momentum"] = 0.0
    common = moons(data__batch_size=13, optimizer=optimizer, **shared)
    return [changed(common, {"seed": seed, **changes}) for seed, changes in enumerate(own)]


def translators() -> list[dict[str, Any]]:
    """Their batches differ in shape, their masks and forced words with the step."""
    tree = changed(
        tree_of("experiment=toy_seq2seq_attn"),
        {
            "trainer.max_epochs": 2, "model.hidden_size": 5, "model.encoder.embedding_size": 3, "data.batch_size": 6,
            "model.decoding.max_length": 8, "model.decoding.every_n_epochs": 2, "decoding.every_n_epochs": 2,
            "model.encoder.dropout": 0.2, "model.teacher_forcing_ratio": 0.5,
        },
    )  # fmt: skip
    return [changed(tree, {"seed": seed, "optimizer.lr": lr}) for seed, lr in ((0, 0.01), (1, 0.03), (2, 0.01))]


KINDS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "sgd": lambda: small_moons(SGD, model__batch_norm=True, model__dropout=0.2),
    "nesterov": lambda: small_moons(NESTEROV, trainer__gradient_clip_val=0.5),
    "adam": lambda: small_moons(ADAM, trainer__precision="32-true", callbacks__path=PATH),
    "translators": translators,
}


class Chunk:
    """An ensemble of `trees` in the sweep `folder` that a signal ends before its step `end`."""

    def __init__(self, folder: Path, trees: Sequence[dict[str, Any]], end: float = math.inf) -> None:
        self.jobs = [Job(folder / f"{i}", [], OmegaConf.create(), tree, f"sha {i}", {}) for i, tree in enumerate(trees)]
        self.trees, self.end = trees, end

    def keep(self) -> None:
        """Train until then, and leave a checkpoint."""
        ensemble = Ensemble(members_of(self.trees), program=Program(10**9))

        def request() -> None:
            if ensemble.steps >= self.end:
                raise Interrupted(signal.SIGTERM)

        for member in ensemble.members:
            member.checkpoint_minutes = 1.0
        with pytest.raises(Interrupted):
            ensemble.fit(
                ChunkCheckpoint(self.jobs, ensemble, [{"data_sha256": "data"}] * len(self.jobs), request).check
            )

    def go_on(self, company: Sequence[Sequence[int]]) -> dict[int, Member]:
        """Train the members from what is kept, in ensembles of the given numbers."""
        take_up(self.jobs, rerun=False)
        ended = {}
        for numbers in company:
            for steps in {self.jobs[i].steps for i in numbers}:
                own = [i for i in numbers if self.jobs[i].steps == steps]
                # Unrecorded: short ensembles spend most of their time on recording their steps.
                ensemble = Ensemble(members_of([self.trees[i] for i in own]), program=Program(10**9))
                restore(ensemble, [self.jobs[i].kept or {} for i in own])
                ensemble.fit()
                ended.update(zip(own, ensemble.members, strict=True))
        return ended


def train_calmly(trees: Sequence[dict[str, Any]]) -> list[Member]:
    ensemble = Ensemble(members_of(trees))
    ensemble.fit()
    return ensemble.members


def assert_equal(mine: Member, theirs: Member) -> None:
    assert repr(mine.rows) == repr(theirs.rows)  # NaN is NaN here
    for name in ("epochs", "best_epoch", "notes"):
        assert getattr(mine, name) == getattr(theirs, name), name
    assert (type(mine.error), str(mine.error)) == (type(theirs.error), str(theirs.error))
    assert mine.weights.keys() == theirs.weights.keys()
    for name, weights in theirs.weights.items():
        assert torch.equal(mine.weights[name], weights), name
    paths = [{} if member.path is None else member.path.kept for member in (mine, theirs)]
    assert paths[0].keys() == paths[1].keys()
    assert all(torch.equal(weights, paths[1][epoch]) for epoch, weights in paths[0].items())


@pytest.mark.parametrize("kind", [*list(KINDS)[:-1], pytest.param("translators", marks=pytest.mark.slow)])
def test_a_chunk_ended_at_any_step_goes_on_to_the_same_bits(kind: str, tmp_path: Path) -> None:
    trees = KINDS[kind]()
    calm = train_calmly(trees)
    if kind != "translators":
        assert len({member.epochs for member in calm}) > 2, "some are to end before others"
    together = [range(len(trees))]
    apart = [range(len(trees) - 1), [len(trees) - 1]]
    last = max(member.rows[-1][0] for member in calm if member.rows)
    for end, company in ((1, apart), (last // 2, together), (last - 1, apart)):
        chunk = Chunk(tmp_path / str(end), trees, end)
        chunk.keep()
        for i, member in chunk.go_on(company).items():
            assert_equal(member, calm[i])


def test_a_member_goes_on_among_members_of_other_chunks(tmp_path: Path) -> None:
    trees = KINDS["sgd"]()
    calm = train_calmly(trees)
    first, second = (Chunk(tmp_path, [trees[i] for i in own], 10) for own in ((0, 3), (2,)))
    second.jobs[0].path, second.jobs[0].sha256 = tmp_path / "other", "sha other"
    first.keep()
    second.keep()
    assert len(list(tmp_path.glob(".members-*.ckpt"))) == 2
    both = Chunk(tmp_path, [trees[i] for i in (0, 3, 2)])
    both.jobs = [*first.jobs, *second.jobs]
    for i, member in both.go_on([[2, 0, 1]]).items():
        assert_equal(member, calm[(0, 3, 2)[i]])


def test_states_of_other_members_are_refused_and_leave_none_changed(tmp_path: Path) -> None:
    wide, narrow = (Chunk(tmp_path / w, [moons(model__width=int(w), seed=s) for s in (0, 1)], 4) for w in ("5", "6"))
    for chunk in (wide, narrow):
        chunk.keep()
        take_up(chunk.jobs, rerun=False)
    fresh = Ensemble(members_of(narrow.trees))
    with pytest.raises(ValueError, match=r"\(2, 5, 2\) where .* \(2, 6, 2\) is expected"):
        restore(fresh, [job.kept or {} for job in wide.jobs])
    assert [member.notes for member in fresh.members] == [[], []]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0x10
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_weights(path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(2)}}, path)


def replace_by_others(path: Path) -> None:
    torch.save({"members": {"0": torch.zeros(2)}}, path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "is damaged: it cannot be read as a checkpoint"),
        (flip_a_bit, "is damaged: "),
        (empty, "is damaged: it is empty; what it kept is begun anew"),
        (replace_by_weights, "is damaged: it holds no members; what it kept is begun anew"),
        (replace_by_others, "is damaged: it is no checkpoint of an ensemble; what it kept is begun anew"),
    ],
)
def test_a_damaged_checkpoint_is_named_in_a_line_and_taken_away(
    damage: Callable[[Path], None], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chunk = Chunk(tmp_path, [moons(seed=seed) for seed in (0, 1)], 4)
    chunk.keep()
    (path,) = tmp_path.glob(".members-*.ckpt")
    damage(path)
    assert take_up(chunk.jobs, rerun=False) == []
    assert [job.kept for job in chunk.jobs] == [None, None]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{path} {words}")
    assert not path.exists()


def test_rerun_takes_nothing_up(tmp_path: Path) -> None:
    chunk = Chunk(tmp_path, [moons(seed=seed) for seed in (0, 1)], 4)
    chunk.keep()
    take_up(chunk.jobs, rerun=True)
    assert [job.kept for job in chunk.jobs] == [None, None]
    assert not list(tmp_path.glob(".members-*.ckpt"))


def test_another_configuration_begins_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chunk = Chunk(tmp_path, [moons(seed=seed) for seed in (0, 1)], 4)
    chunk.keep()
    chunk.jobs[0].sha256 = "another"
    take_up(chunk.jobs, rerun=False)
    assert [job.steps for job in chunk.jobs] == [0, 4]
    assert "1 runs begin anew: their checkpoint is of another configuration" in capsys.readouterr().out


# --- the whole command ------------------------------------------------------------------------------------

LINE = ("hydra/launcher=vectorized", "trainer.max_epochs=30", "optimizer.lr=0.1", "seed=0,1,2,3,4,5,6,7")


def read_runs(runs: dict[str, Path]) -> dict[tuple[str, ...], tuple[Any, ...]]:
    """What is to be the same, by seed and learning rate."""
    found = {}
    for path in runs.values():
        result = json.loads((path / "result.json").read_text())
        key = tuple(line for line in result["overrides"] if line.startswith(("seed=", "optimizer.lr=")))
        own = tuple(result.get(name) for name in ("status", "metrics", "weights_sha256", "error"))
        found[key] = (*own, (path / "metrics.csv").read_bytes())
    return found


def assert_same_sweep(mine: dict[str, Path], theirs: dict[str, Path]) -> None:
    assert len(mine) == len(theirs)
    assert read_runs(mine) == read_runs(theirs)
    assert not list(next(iter(mine.values())).parent.glob(".*members-*"))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return sweep(tmp_path_factory.mktemp("calm"), *LINE)[1]


@pytest.fixture
def end_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`end_at(step, signal, file)`: a process sends itself the signal at a step, once: then there is the file."""
    advance = Ensemble.advance

    def end(step: int, signum: int, once: Path) -> None:
        def advance_or_end(ensemble: Ensemble) -> None:
            if ensemble.steps == step and not once.exists():
                once.touch()
                os.kill(os.getpid(), signum)
            advance(ensemble)

        monkeypatch.setattr(Ensemble, "advance", advance_or_end)

    return end


def interrupt(folder: Path, end_at: Callable[..., None], step: int = 12) -> Path:
    """A sweep that SIGTERM ended there; returns its checkpoint."""
    end_at(step, signal.SIGTERM, once=folder / "ended")
    folder.mkdir(exist_ok=True)
    assert sweep(folder, *LINE)[0] == 143
    (path,) = folder.glob("*/.members-*.ckpt")
    return path


def test_after_sigterm_the_same_command_goes_on(
    tmp_path: Path, calm: dict[str, Path], end_at: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(tmp_path / "sweep", end_at)
    capsys.readouterr()
    _, runs = sweep(tmp_path / "sweep", *LINE)
    told = capsys.readouterr().out
    assert "interrupted; from the checkpoint of its ensemble" in told
    assert "8 of 8 runs go on from the checkpoint of an ensemble" in told
    assert_same_sweep(runs, calm)


def test_after_a_signal_between_fit_and_results_nothing_is_trained_again(
    tmp_path: Path, calm: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = []

    def finish_or_end(job: Job, *rest: Any) -> Any:
        finished.append(job)
        if len(finished) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return finish_run(job, *rest)

    monkeypatch.setattr("probeta.vectorized.train_jobs.finish_run", finish_or_end)
    assert sweep(tmp_path, *LINE)[0] == 143
    monkeypatch.setattr(Ensemble, "advance", None)
    _, runs = sweep(tmp_path, *LINE)
    assert len({job.path for job in finished}) == len(finished) == 8, "what was completed is not made again"
    assert_same_sweep(runs, calm)


@pytest.fixture
def two_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_what_a_killed_process_trained_goes_on_alone(
    tmp_path: Path, calm: dict[str, Path], end_at: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    end_at(20, signal.SIGKILL, once=tmp_path / "killed")
    status, runs = sweep(tmp_path, *LINE, "callbacks.checkpoint.every_minutes=1e-9")
    assert status == 0
    # One of two processes died; its jobs are launched one at a time.
    assert capsys.readouterr().out.count("1 of 1 runs go on from the checkpoint of an ensemble") == 4
    assert_same_sweep(runs, calm)


def be_of_other_data(state: dict[str, Any]) -> None:
    state["inputs"] = "other"


def be_of_other_shapes(state: dict[str, Any]) -> None:
    state["parameters"] = {name: w[..., :1] for name, w in state["parameters"].items()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (be_of_other_data, "8 runs begin anew: their data or classes have changed since their checkpoint"),
        (be_of_other_shapes, "8 runs begin anew: their checkpoint is not of such members (ValueError: "),
    ],
)
def test_what_does_not_fit_begins_anew(
    change: Callable[[dict[str, Any]], None],
    words: str,
    tmp_path: Path,
    calm: dict[str, Path],
    end_at: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = interrupt(tmp_path / "sweep", end_at)
    content = torch.load(path, weights_only=True)
    for state in content["members"].values():
        change(state)
    torch.save(content, path)
    _, runs = sweep(tmp_path / "sweep", *LINE)
    assert capsys.readouterr().out.count(words) == 1
    assert_same_sweep(runs, calm)


COMMAND = (
    "train", "-m", "experiment=moons_mlp", "trainer=cpu", "trainer.max_epochs=400",
    "callbacks.early_stopping.patience=null", "data.batch_size=32", "callbacks.checkpoint.every_minutes=0.005",
    "optimizer.lr=0.05,0.2", "seed=range(6)", "hydra/launcher=vectorized", "name=kept",
)  # fmt: skip


def start(folder: Path, threads: int) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "probeta", *COMMAND],
        cwd=folder, env=environment() | {"OMP_NUM_THREADS": str(threads)}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_a_sweep_ended_ten_times_is_the_sweep_that_never_was(tmp_path: Path, signum: int) -> None:
    assert start(tmp_path / "calm", 1).wait() == 0
    moments = random.Random(signum)
    ended = 0
    while ended < 10:
        process = start(tmp_path / "stormy", 1 + ended % 2)
        written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("stormy/*/*/.members-*")}
        while process.poll() is None and written == {
            path: path.stat().st_mtime_ns for path in tmp_path.glob("stormy/*/*/.members-*")
        }:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))
        assert process.poll() is None, "the runs are too short to be ended ten times"
        os.killpg(process.pid, signum)
        process.wait()
        ended += 1
    assert start(tmp_path / "stormy", 2).wait() == 0
    runs = [
        {p.parent.name: p.parent for p in tmp_path.glob(f"{name}/*/*/*/result.json")} for name in ("stormy", "calm")
    ]
    assert len(runs[1]) == 12
    assert_same_sweep(*runs)
