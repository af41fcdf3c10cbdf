"""`probeta probe` end to end: what it leaves, what it refuses, and that a broken backward pass fails it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import HydraException
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from probeta.errors import UserError
from probeta.inference.probe import check, measure
from probeta.probes.probe import CheckFailed
from probeta.runs.record import execute

SMALL = {
    "depth": ["probe.depths=[2,3]", "probe.width=5", "probe.seeds=3"],
    "length": ["probe.lengths=[3,5]", "probe.cells=[rnn,lstm]", "probe.hidden_size=4", "probe.seeds=2"],
    "state_machine": ["probe.restarts=2", "probe.updates=3", "probe.sequences=2"],
    "gradcheck": ["probe.count=5", "probe.step_curve=false", "data.n_samples=50", "model.width=4"],
    "bug_hunt": ["probe.count=5", "data.n_samples=50", "model.width=4", "model.depth=2"],
    "layers": ["probe.seeds=2", "data.n_samples=50", "model.width=4", "model.depth=2"],
}
FIGURES = {
    "depth": {"gradient_by_depth", "gradient_by_layer"},
    "length": {"weight_gradient_by_length", "state_gradient_by_distance"},
    "state_machine": {"states", "learned_weights", "learning"},
    "gradcheck": {"error_by_layer"},
    "bug_hunt": {"bugs_by_layer"},
    "layers": {"gradient_by_module"},
}


@pytest.fixture
def probe(configure: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`probe("probe=depth", …)` probes in `tmp_path` and returns what `result.json` holds."""

    def run(*overrides: str) -> dict[str, Any]:
        config = configure(*overrides, config="probe")
        check(config)
        execute(measure, config, tmp_path, overrides=list(overrides))
        result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
        return result

    return run


@pytest.mark.parametrize("name", SMALL)
def test_a_probe_leaves_a_result_a_table_and_figures(name: str, probe: Any, tmp_path: Path) -> None:
    result = probe(f"probe={name}", *SMALL[name])
    assert result["status"] == "completed"
    assert result["metrics"]
    with (tmp_path / "measurements.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["probe"] for row in rows} == {name}
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {f"{figure}.{kind}" for figure in FIGURES[name] for kind in ("png", "svg", "pdf")}
    events = EventAccumulator(str(tmp_path)).Reload()
    assert set(events.Tags()["images"]) == {f"figures/{figure}" for figure in FIGURES[name]}


def test_the_same_command_measures_the_same(probe: Any, tmp_path: Path) -> None:
    tables = []
    for _ in range(2):
        probe("probe=depth", *SMALL["depth"], "figures=none", "logger=none")
        tables.append((tmp_path / "measurements.csv").read_bytes())
    assert tables[0] == tables[1]


def test_the_scalar_function_is_checked_without_the_model(probe: Any) -> None:
    result = probe("probe=gradcheck", "probe.function=scalar", "figures=none")
    assert result["metrics"]["error/float64"] < 1e-8
    assert result["metrics"]["wrong_layers"] == 0


@pytest.mark.parametrize("bug", ["detach", "sign", "scale"])
def test_an_injected_bug_fails_the_run_and_is_named(bug: str, probe: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match=r"backward pass of hidden\.0\.linear is wrong"):
        probe("probe=gradcheck", *SMALL["gradcheck"], f"probe.inject_bug={bug}", "probe.bug_layer=net.hidden.0.linear")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "failed"
    assert (tmp_path / "measurements.csv").is_file()
    assert (tmp_path / "figures" / "error_by_layer.png").is_file()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["probe=depth", "probe.depths=[0]"], ["probe.depths=0", "from 1"]),
        (["probe=depth", "probe.depths=0"], ["probe.depths", "0"]),
        (["probe=depth", "probe.activations=[relu,sigmod]"], ["sigmod", "sigmoid"]),
        (["probe=depth", "probe.widht=3"], ["widht"]),
        (["probe=depth", "probe.dtype=float16"], ["probe.dtype=float16", "float32"]),
        (["probe=depth", "probe.device=cuda:7"], ["probe.device=cuda:7", "cpu"]),
        (["probe=depth", "probe.device=mps", "probe.dtype=float64"], ["float64", "mps"]),
        (["probe=length", "probe.cells=[elman]"], ["elman", "lstm"]),
        (["probe=length", "probe.recurrent_scale=-1"], ["probe.recurrent_scale=-1", "above 0"]),
        (["probe=gradcheck", "probe.inject_bug=detatch"], ["detatch", "detach"]),
        (["probe=gradcheck", "probe.count=0"], ["probe.count=0", "from 1"]),
        (["probe=gradcheck", "probe.bug_layer=output"], ["probe.bug_layer=output", "probe.inject_bug"]),
        (["probe=gradcheck", "model.dropout=1.5"], ["model.dropout=1.5"]),
        (["probe=state_machine", "probe.inputs=[1,0]"], ["probe.inputs", "-1 and 1"]),
    ],
)
def test_a_mistake_is_named_with_what_is_accepted(configure: Any, overrides: list[str], words: list[str]) -> None:
    # An unknown key is refused by Hydra as it composes; everything else by the probe.
    with pytest.raises((UserError, HydraException)) as caught:
        check(configure(*overrides, config="probe"))
    message = str(caught.value)
    assert all(word in message for word in words), message


def test_a_length_beyond_memory_is_refused_before_it_is_tried(probe: Any) -> None:
    with pytest.raises(UserError, match=r"probe\.lengths=1000000000 .* GiB"):
        probe("probe=length", "probe.lengths=[1000000000]")
