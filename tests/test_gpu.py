"""What runs on a CPU runs on a GPU, with the same numbers to rounding. Skipped where there is none."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from probeta.cli import main
from probeta.inference.load_run import load_run
from probeta.inference.translator import load_translator
from probeta.models.module import Module
from probeta.runs.row import read_curves
from probeta.runs.signals import Interrupted
from tests.test_parallel_text_runs import corpus
from tests.vectorized.test_launcher import sweep

__all__ = ["corpus"]

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")

Train = Callable[..., dict[str, Any]]

MOONS = ("experiment=moons_mlp", "data.n_samples=200", "trainer.max_epochs=6")
TEXT = (
    "data=parallel_text",
    "data.root=text",
    "data.source=en",
    "data.target=de",
    "data.tokens=whitespace",
    "data.batch_size=16",
    "trainer.max_epochs=4",
    "optimizer.lr=0.01",
    "recipe.hidden_size=24",
    "recipe.embedding_size=12",
)
TRANSLATORS = {
    "additive": ("model=seq2seq_attn",),
    "plain": ("model=seq2seq",),
    "gru, two layers": ("model=seq2seq_attn", "model.cell=gru", "model.layers=2"),
    "transformer": ("model=transformer",),
}


def both(train: Train, *overrides: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """`result.json` of the same run on a CPU and on a GPU, in the folders `cpu` and `gpu`."""
    results = [train(*overrides, f"trainer={name}", into=name) for name in ("cpu", "gpu")]
    for result in results:
        assert result["status"] == "completed", result["error"]
    assert [result["device"] for result in results] == ["cpu", "gpu"]
    return results[0], results[1]


def test_a_classifier_trains_alike(train: Train) -> None:
    cpu, gpu = both(train, *MOONS, "model.dropout=0.2", "model.batch_norm=true")
    for name in ("train/loss", "val/loss", "test/loss"):
        assert gpu["metrics"][name] == pytest.approx(cpu["metrics"][name], rel=1e-3), name


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("kind", TRANSLATORS)
def test_a_translator_trains_alike_and_is_evaluated_on_either(train: Train, tmp_path: Path, kind: str) -> None:
    cpu, gpu = both(train, *TEXT, *TRANSLATORS[kind])
    assert gpu["metrics"]["val/loss"] == pytest.approx(cpu["metrics"]["val/loss"], rel=1e-2)
    sentences = ["zero one two", "five three"]
    found = [load_translator(tmp_path / "gpu", device=device).translate(sentences) for device in ("cpu", "cuda")]
    for (one,), (other,) in zip(*found, strict=True):
        assert one.text == other.text
        assert one.score == pytest.approx(other.score, abs=1e-3)


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
@pytest.mark.parametrize(
    "experiment",
    [MOONS, (*TEXT, "model=seq2seq_attn"), (*TEXT, "model=transformer", "optimizer.lr=0.0005")],
    ids=["classifier", "recurrent", "transformer"],
)
def test_mixed_precision_comes_near(train: Train, tmp_path: Path, experiment: tuple[str, ...], precision: str) -> None:
    experiment = (*experiment, "trainer.max_epochs=12")  # float16 leaves out steps until its scale is found
    train(*experiment, "trainer=gpu", into="whole")
    mixed = train(*experiment, "trainer=gpu", f"trainer.precision={precision}", into="mixed")
    assert mixed["status"] == "completed", mixed["error"]
    # The last training loss: validation, and the epoch that it chooses, jump where sentences are so few.
    last = [[*read_curves(tmp_path / name)["train/loss"].values()][-1] for name in ("whole", "mixed")]
    assert last[1] == pytest.approx(last[0], rel=0.1)


def test_a_compiled_net_trains_alike(train: Train) -> None:
    plain = train(*MOONS, "trainer=gpu", into="plain")
    compiled = train(*MOONS, "trainer=gpu", "compile=true", into="compiled")
    assert compiled["status"] == "completed", compiled["error"]
    assert compiled["metrics"]["val/loss"] == pytest.approx(plain["metrics"]["val/loss"], rel=1e-3)


def test_the_vectorized_launcher_trains_members_as_single_runs(tmp_path: Path) -> None:
    one, many = (
        sweep(tmp_path / name, "trainer=gpu", "optimizer.lr=0.1,0.3", *launcher)
        for name, launcher in (("basic", ()), ("vectorized", ("hydra/launcher=vectorized",)))
    )
    assert one[0] == many[0] == 0
    assert sorted(one[1]) == sorted(many[1])
    for name in one[1]:
        single, member = (json.loads((runs[name] / "result.json").read_text()) for _, runs in (one, many))
        assert single["device"] == member["device"] == "gpu"
        assert member["launcher"] == "vectorized"
        for metric, value in single["metrics"].items():
            assert member["metrics"][metric] == pytest.approx(value, abs=1e-3), (name, metric)


PROBES = {
    "depth": ("probe.depths=[2,4]", "probe.width=16", "probe.seeds=4"),
    "length": ("probe.lengths=[4,8]", "probe.seeds=4"),
    "gradcheck": (),
    "layers": ("data=moons", "model=mlp", "model.width=8", "probe.seeds=4"),
    "curvature": ("data=moons", "data.n_samples=60", "model=mlp", "model.width=6", "probe.seeds=2"),
    "curvature, translator": (
        *TEXT[:6], "model=seq2seq_attn", "model.hidden_size=4", "model.encoder.embedding_size=3",
        "model.decoder.embedding_size=3", "probe.seeds=1", "probe.examples=8", "probe.steps=20",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("probe", PROBES)
def test_probes_measure_the_same(tmp_path: Path, probe: str) -> None:
    tables, kind = [], probe.split(",")[0]
    for device in ("cpu", "cuda"):
        GlobalHydra.instance().clear()
        folder = tmp_path / device
        assert main(["probe", f"probe={kind}", *PROBES[probe], f"probe.device={device}", f"output_dir={folder}"]) == 0
        (path,) = folder.glob("probe/*/measurements.csv")
        tables.append(pd.read_csv(path))
    one, other = tables
    assert len(one) > 0
    if kind == "gradcheck":  # its errors are themselves rounding
        names = ["layer", "dtype", "verdict"]
        pd.testing.assert_frame_equal(one[names], other[names])
        return
    if kind == "curvature":  # how many eigenvalues stand for a density depends on rounding
        one, other = (table[table.quantity.isin(["largest", "smallest", "trace"])] for table in tables)
        one, other = (table.drop(columns=["error"]).reset_index(drop=True) for table in (one, other))
    pd.testing.assert_frame_equal(one, other, rtol=1e-3, atol=1e-5, check_exact=False)


def test_an_interrupted_run_goes_on(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = (*MOONS, "data.batch_size=32", "trainer=gpu", "model.dropout=0.3")
    whole = train(*overrides, into="whole")
    step = Module.training_step
    with monkeypatch.context() as patched:

        def interrupted(self: Module, *arguments: Any) -> Any:
            if self.global_step == 7:
                raise Interrupted(signal.SIGTERM)
            return step(self, *arguments)

        patched.setattr(Module, "training_step", interrupted)
        with pytest.raises(Interrupted):
            train(*overrides, into="cut")
    resumed = train(*overrides, into="cut")
    assert resumed["metrics"]["test/loss"] == pytest.approx(whole["metrics"]["test/loss"], rel=1e-5)
    weights = [load_run(tmp_path / name).model.state_dict() for name in ("whole", "cut")]
    torch.testing.assert_close(*weights)
