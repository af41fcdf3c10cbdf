from __future__ import annotations

import pytest
from hydra._internal.hydra import Hydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from probeta.composition.composer import Composer

JOBS = [
    [],
    ["seed=3"],
    ["model=large", "model.width=7"],
    ["model=large", "+model.extra.b=2", "~model.extra.a"],
    ["optimizer=adam", "optimizer.betas=[0.5,0.6]", "seed=2", "hydra.sweep.subdir='a b'"],
    ["++model.width=9", "+new={a: {b: 1}}", "steps=4"],
    ["model=small", "seed=5", "model.label=x-${steps}"],
    ["~optimizer", "hydra.job.chdir=false"],
    ["study=widths", "model.width=2"],
    ["steps=2", "steps=3"],
]


def master(hydra: Hydra, *overrides: str) -> DictConfig:
    lines = [*overrides, "hydra.mode=MULTIRUN"]
    return hydra.compose_config("config", lines, run_mode=RunMode.MULTIRUN, with_log_configuration=False)


@pytest.mark.parametrize("overrides", JOBS, ids=" ".join)
def test_a_job_composes_to_what_hydra_composes(hydra: Hydra, overrides: list[str]) -> None:
    config = master(hydra, "seed=1,2,3", "hydra.sweep.dir=/x", "hydra.sweeper.max_batch_size=3")
    expected = hydra.config_loader.load_sweep_config(config, overrides)
    composer = Composer(hydra.config_loader, config)
    for _ in range(2):  # from the files, then from the copy
        found = composer(overrides)
        assert OmegaConf.to_container(found, resolve=False) == OmegaConf.to_container(expected, resolve=False)
    with open_dict(expected):
        del expected["hydra"]
    task = composer.task(overrides)
    assert OmegaConf.to_container(task, resolve=True) == OmegaConf.to_container(expected, resolve=True)
    assert task._get_flag("struct") == expected._get_flag("struct")


def test_jobs_do_not_share_what_they_change(hydra: Hydra) -> None:
    composer = Composer(hydra.config_loader, master(hydra))
    first = composer(["optimizer=adam", "optimizer.betas=[0.1,0.2]"])
    composer.task(["optimizer=adam", "optimizer.lr=5.0"])
    assert first.optimizer.lr == 0.001
    assert composer.task(["optimizer=adam"]).optimizer.betas == [0.9, 0.999]


@pytest.mark.parametrize(
    "overrides", [["optimizer.rate=1"], ["model=none_such"], ["+steps=2"], ["~nothing"], ["seed=1,2"]], ids=" ".join
)
def test_what_hydra_refuses_is_refused(hydra: Hydra, overrides: list[str]) -> None:
    composer = Composer(hydra.config_loader, master(hydra))
    with pytest.raises(HydraException) as theirs:
        hydra.config_loader.load_sweep_config(master(hydra), overrides)
    with pytest.raises(type(theirs.value)):
        composer(overrides)
    with pytest.raises(type(theirs.value)):
        composer.task(overrides)


def test_files_are_read_once_for_all_jobs_of_the_same_choices(hydra: Hydra, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = hydra.config_loader
    composer = Composer(loader, master(hydra))
    calls: list[tuple[str, ...]] = []
    original = loader.load_configuration
    monkeypatch.setattr(loader, "load_configuration", lambda **k: calls.append(tuple(k["overrides"])) or original(**k))
    for model in ("small", "large"):
        for seed in range(5):
            composer([f"model={model}", f"seed={seed}"])
    assert len(calls) == 2
