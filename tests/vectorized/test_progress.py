"""Members of ensembles tell how far they are, whichever process trains them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from probeta.cli import main
from probeta.sweeps.progress import State
from probeta.sweeps.telling import Teller
from probeta.vectorized import progress, train_jobs


@pytest.mark.parametrize("processes", [1, 2])
def test_each_member_tells_its_epochs_and_metrics(
    processes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[State] = []

    def hear(self: Teller, states: Sequence[State]) -> None:
        heard.extend(states)

    monkeypatch.setattr(Teller, "hear", hear)
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    monkeypatch.setattr(train_jobs, "processes", lambda: processes)
    argv = ["experiment=moons_mlp", "trainer=cpu", "data.n_samples=60", "trainer.max_epochs=3", "data.batch_size=16"]
    argv += ["seed=range(8)", "hydra/launcher=vectorized", f"output_dir={tmp_path}"]
    assert main(["train", "-m", *argv]) == 0
    assert {state.name for state in heard} == {path.parent.name for path in tmp_path.glob("*/*/result.json")}
    assert len({state.name for state in heard}) == 8
    assert min(state.epochs for state in heard) == 0
    assert max(state.epochs for state in heard) == pytest.approx(2 + 2 / 3)  # before the last of three batches
    assert all(("val/acc" in state.values) == (state.epochs >= 1) for state in heard)
