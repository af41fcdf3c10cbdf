"""A probe as a job: build it and what it looks into, measure, leave a table and figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from probeta.errors import ConfigError
from probeta.runs.artifacts import FIGURES
from probeta.runs.directory import RunDirectory
from probeta.runs.record import Outcome, execute
from probeta.runs.signals import Signals

if TYPE_CHECKING:
    from probeta.probes.probe import Findings, Probe, Subject

log = logging.getLogger(__name__)


def task(config: DictConfig) -> dict[str, Any]:
    """What Hydra's launchers call for every job: probe in the job's directory."""
    hydra = HydraConfig.get()
    path = Path(hydra.runtime.output_dir)
    result = execute(
        measure,
        config,
        path,
        overrides=list(hydra.overrides.task),
        launcher=str(hydra.runtime.choices.get("hydra/launcher", "basic")),
        multirun=hydra.mode == RunMode.MULTIRUN,
    )
    return {**result, "path": str(path)}


def check(config: DictConfig) -> None:
    """Refuse what cannot be probed, before anything is read or written."""
    from probeta.config import build

    tree = build.resolve_config(config)
    if tree.get("probe") is None:
        raise ConfigError("probe=null is not accepted: name one, such as probe=depth (probeta list shows all)")
    if "seeds" in tree:
        raise ConfigError("seeds is no key of a probe, which draws its nets from seed and counts on")
    if tree.get("model") is None:
        build.check_keys(tree)
        build.check_loggers(tree)
    else:
        build.check(config)
    if (run := make_probe(tree).run) is not None:
        RunDirectory.existing(run)
        if given := [name for name in ("data", "model") if tree.get(name) is not None]:
            raise ConfigError(f"run= brings its own data and model: leave {' and '.join(given)} out")


def make_probe(tree: Mapping[str, Any]) -> Probe:
    from probeta.config.build import make

    probe: Probe = make(tree, "probe")
    if probe.needs_model and probe.run is None and (tree.get("model") is None or tree.get("data") is None):
        raise ConfigError(f"probe={probe.name} looks into a model: add data=NAME model=NAME, or run=DIR")
    return probe


def measure(config: DictConfig, run: RunDirectory, signals: Signals) -> Outcome:
    """Build the probe and what it looks into, measure, write, draw."""
    from probeta.config.build import check_keys, resolve_config
    from probeta.figures.run import draw
    from probeta.probes.probe import CheckFailed, write_measurements

    tree = resolve_config(config)
    check_keys(tree)
    probe = make_probe(tree)
    signals.check()
    subject, digest = make_subject(tree, probe.run) if probe.needs_model else (None, None)
    started = time.perf_counter()
    findings = probe.measure(tree["seed"], subject)
    duration = time.perf_counter() - started
    signals.check()
    write_measurements(run.path / "measurements.csv", probe.name, findings.rows)
    for line in findings.report:
        log.info("%s", line)
    formats = FIGURES[tree.get("figures") or "all"]
    figures = draw(run.path, formats=formats) if formats else []
    to_tensorboard(tree, run, findings, figures)
    if findings.failure:
        raise CheckFailed(findings.failure)
    return Outcome(
        findings.metrics, fit_s=duration, device=str(getattr(probe, "device", "cpu")), data_sha256=digest,
        extra={"probe": probe.name},
    )  # fmt: skip


def make_subject(tree: Mapping[str, Any], run: str | None = None) -> tuple[Subject, str | None]:
    """The configured data's first training batch, and the model as any seed initialises it; or those of the finished
    `run`, with its kept weights.
    """
    from probeta.config.build import build_data, build_model
    from probeta.inference.load_run import load_run
    from probeta.probes.probe import Subject

    if run is not None:
        loaded = load_run(run, tree.get("trust"))
        kept: Any = loaded.data
        batch = next(iter(kept.train_dataloader()))
        return Subject(lambda seed: loaded.model, batch, kept, trained=True), kept.sha256()
    data: Any = build_data(tree)
    # The first batch of the data's own order: a probe that shuffled would measure another batch each seed.
    batch = next(iter(data.train_dataloader()))
    digest = data.sha256() if hasattr(data, "sha256") else None
    return Subject(lambda seed: build_model({**tree, "seed": seed}, data.spec), batch, data), digest


def to_tensorboard(tree: Mapping[str, Any], run: RunDirectory, findings: Findings, figures: list[Path]) -> None:
    """Figures as images and metrics as scalars, where the configuration keeps the TensorBoard logger."""
    if "tensorboard" not in (tree.get("logger") or {}):
        return
    import matplotlib.image
    import numpy as np
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run.path)) as writer:
        for path in figures:
            if path.suffix == ".png":
                pixels = (np.asarray(matplotlib.image.imread(path))[..., :3] * 255).astype(np.uint8)
                writer.add_image(f"figures/{path.stem}", pixels, 0, dataformats="HWC")
        for name, value in findings.metrics.items():
            writer.add_scalar(name, value, 0)
