"""Which keys of Lightning's Trainer a run obeys, with which values, and why not the others."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from probeta.config.processes import processes
from probeta.errors import ConfigError, check_whole, check_whole_or_null

REFUSED = {
    "logger": "the group logger says what is logged: logger=default, logger=none",
    "callbacks": "the group callbacks lists them: +callbacks.NAME._target_=…",
    "plugins": "the run brings its own",
    "default_root_dir": "a run has a folder of its own: output_dir=DIR or hydra.run.dir=DIR",
    "enable_checkpointing": "checkpoints=all, best or none says what is kept",
    "enable_model_summary": "trainer=debug writes every module's shapes",
    "num_sanity_val_steps": "a configuration is checked without the data, and nothing is validated before training",
    "use_distributed_sampler": "the rows of a batch are shared out, whatever the number of processes",
    "fast_dev_run": "trainer=debug runs one batch of each stage, with its logs",
    "barebones": "without logs and metrics there is no result",
    "overfit_batches": "it would validate on training batches: trainer.limit_train_batches says how many train",
    "val_check_interval": "validation comes after whole epochs: trainer.check_val_every_n_epoch",
    "limit_predict_batches": "a run does not predict: probeta predict and probeta translate do",
    "reload_dataloaders_every_n_epochs": "the data are the same in every epoch",
    "enable_autolog_hparams": "the configuration is logged once, with the final metrics",
    "model_registry": "nothing is uploaded",
}
"""What the run says itself, or would break: accepted with Lightning's default value alone."""

PRECISIONS = ("32", "32-true", "64", "64-true", "16-mixed", "bf16-mixed")


def check_epochs(key: str, value: Any) -> None:
    """0 trains nothing: the initial weights are tested."""
    if value not in (None, -1):
        check_whole(key, value, 0)


def check_steps(key: str, value: Any) -> None:
    if value not in (None, -1):
        check_whole(key, value)


def check_limit(key: str, value: Any, least: int = 1) -> None:
    """How many batches, or which share of them; without any there is no metric."""
    share = isinstance(value, float) and (0 < value <= 1 or least == value == 0)
    if value is not None and not share:
        try:
            check_whole(key, value, least)
        except ConfigError:
            raise ConfigError.value(key, value, f"a number of batches from {least}, or a share above 0.0") from None


def check_clip(key: str, value: Any) -> None:
    if value is not None and not 0 <= value < math.inf:
        raise ConfigError.value(key, value, "a number from 0, or null for no clipping")


def check_precision(key: str, value: Any) -> None:
    if value is not None and str(value) not in PRECISIONS:
        why = " (weights in half precision lose small updates: -mixed keeps them)" * str(value).endswith("16-true")
        raise ConfigError.value(key, value, f"{', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}{why}")


def check_time(key: str, value: Any) -> None:
    try:
        Timer(duration=value)
    except (MisconfigurationException, TypeError, ValueError):
        raise ConfigError.value(key, value, "DD:HH:MM:SS, or {hours: 2}") from None


def check_word(key: str, value: Any, words: tuple[Any, ...]) -> None:
    if value is not None and value not in words:
        raise ConfigError.value(key, value, f"{', '.join(map(str, words))} or null")


CHECKS: Mapping[str, Callable[[str, Any], object] | None] = {
    "accelerator": None,  # `training.devices`
    "strategy": None,  # these three: `config.processes`
    "devices": None,
    "num_nodes": None,
    "precision": check_precision,
    "max_epochs": check_epochs,
    "min_epochs": check_whole_or_null,
    "max_steps": check_steps,
    "min_steps": check_whole_or_null,
    "max_time": check_time,
    "limit_train_batches": check_limit,
    "limit_val_batches": partial(check_limit, least=0),
    "limit_test_batches": check_limit,
    "check_val_every_n_epoch": check_whole,
    "log_every_n_steps": partial(check_whole_or_null, least=0),
    "accumulate_grad_batches": check_whole,
    "gradient_clip_val": check_clip,
    "gradient_clip_algorithm": partial(check_word, words=("norm", "value")),
    "profiler": partial(check_word, words=("simple", "advanced", "pytorch")),
    "deterministic": None,  # these are true or false, as their type says
    "benchmark": None,
    "inference_mode": None,
    "detect_anomaly": None,
    "sync_batchnorm": None,
    "enable_progress_bar": None,
}
"""Every key that is obeyed, and what it accepts beyond its type."""


def check_trainer(node: Mapping[str, Any]) -> None:
    """`ConfigError` for a key or value of `trainer` that a run could not obey."""
    processes(node)
    signature = inspect.signature(pl.Trainer).parameters
    for key, value in node.items():
        if key in REFUSED and value is not None and value != signature[key].default:
            raise ConfigError(f"trainer.{key}={value} is not accepted: {REFUSED[key]}")
        if (check := CHECKS.get(key)) is not None:
            check(f"trainer.{key}", value)
    if node.get("max_epochs", 1) is None and node.get("max_steps", -1) == -1:
        raise ConfigError("trainer.max_epochs=null is not accepted: a whole number from 0, or -1 for no end")


def known_length(node: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether it is known before training after how many steps, and epochs, it ends at the latest."""
    epochs = node.get("max_epochs") is not None and node["max_epochs"] >= 0
    return epochs or node.get("max_steps", -1) > 0, epochs
