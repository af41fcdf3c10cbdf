"""From a configuration to objects: the only place that instantiates.

`check` refuses a configuration before any work, without reading data: keys and types against the
constructors' signatures, ranges by the constructors themselves (models are built on the meta device,
on a stand-in for what the data will say).
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from probeta.config.signatures import RESERVED, check_node, parameters
from probeta.config.trainer import check_trainer, known_length
from probeta.config.trust import get_trusted, resolve, targets
from probeta.data.datamodule import DataModule
from probeta.data.spec import DataSpec, PointsSpec, SequenceSpec, TextSpec
from probeta.errors import ConfigError, UserError
from probeta.models.module import Module
from probeta.runs.artifacts import FIGURES
from probeta.runs.identity import SWITCHES, Seeds, check_seeds, flatten_settings

PARTS = (
    "attention", "callbacks", "checkpoints", "compile", "data", "decoding", "figures", "model", "optimizer", "probe",
    "recipe", "run", "scheduler", "seed", "seeds", "trainer", "trust",
)  # fmt: skip
"""Top-level keys that say what a run is."""

KEYS = (*PARTS, *(key for key in SWITCHES if key != "hydra"))
"""The top level of a configuration."""

RECIPE = (
    "decode_every", "embedding_size", "gradient_clip", "hidden_size", "max_epochs", "max_length", "min_delta", "mode",
    "monitor", "patience",
)  # fmt: skip
"""What a choice of data or model may bring as defaults for the other groups."""

SUPPLIED = {"model": ("spec",), "optimizer": ("params",), "scheduler": ("optimizer", "total_steps", "total_epochs")}
"""Arguments that are added here or by the model, so no configuration may state them."""

RUN_SUPPLIES = ("directory", "settings", "resume_step", "resume_epochs")
"""What a logger of ours is told by the run."""

EXAMPLES: dict[type, DataSpec] = {
    PointsSpec: PointsSpec(in_features=2, classes=2, class_counts=(5, 5)),
    SequenceSpec: SequenceSpec(in_features=3, classes=2, length=4),
    TextSpec: TextSpec(9, 9, 0, 1, 2, 3, shared_vocabulary=True),
}

DATA_WORDS = {PointsSpec: "points", SequenceSpec: "sequences", TextSpec: "sentence pairs"}


@dataclass
class Experiment:
    """Everything a run needs, built and set up."""

    data: DataModule
    model: Module
    callbacks: dict[str, pl.Callback]
    loggers: list[Logger]
    trainer: partial[pl.Trainer]
    """Called with what only the run knows (callbacks, loggers, devices)."""


def resolve_config(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain containers, every interpolation resolved, without loggers that are null."""
    try:
        tree = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = error.full_key or "configuration"
        if isinstance(error, MissingMandatoryValue):
            raise ConfigError(f"{key} has no default and must be given: {key}=…") from None
        raise ConfigError(f"{key}: {str(error).splitlines()[0]}") from None
    assert isinstance(tree, dict)
    if isinstance(loggers := tree.get("logger"), dict):
        tree["logger"] = {name: node for name, node in loggers.items() if node is not None}
    return {str(key): value for key, value in tree.items() if key != "hydra"}


def check_keys(tree: Mapping[str, Any]) -> None:
    """Every key is known, every target trusted, every value of the right type."""
    for key in tree:
        if key not in KEYS:
            raise ConfigError.unknown("key", key, KEYS)
    for key in tree.get("recipe") or {}:
        if key not in RECIPE:
            raise ConfigError.unknown("key", f"recipe.{key}", [f"recipe.{name}" for name in RECIPE])
    for key, accepted in (("checkpoints", ("all", "best", "none")), ("figures", tuple(FIGURES))):
        if tree.get(key) is not None and tree[key] not in accepted:
            raise ConfigError.value(key, tree[key], " or ".join(accepted))
    if not isinstance(tree.get("compile", False), bool):
        raise ConfigError.value("compile", tree["compile"], "true or false")
    check_seeds(tree)
    trust = get_trusted(tree)
    for path, node in targets(tree):
        target = resolve(node["_target_"], path, trust)
        supplied = SUPPLIED.get(path, RUN_SUPPLIES if path.startswith("logger.") else getattr(target, "supplied", ()))
        check_node(target, node, path, supplied)
    if tree.get("trainer"):
        check_trainer(tree["trainer"])


def make(tree: Mapping[str, Any], path: str, **supplied: Any) -> Any:
    """Build the node at `path`; what its constructor refuses is named by its full key."""
    node: Any = tree
    for key in path.split("."):
        node = node.get(key)
    if node is None:
        return None
    try:
        made = instantiate(node, path, get_trusted(tree), bool(supplied))
        return made(**supplied) if supplied else made
    except Exception as error:
        raise explain_refusal(error, path) from error


def instantiate(node: Any, path: str, trust: Sequence[str], partially: bool = False) -> Any:
    """`node` with each node in it that has a `_target_` built, the innermost first. `_partial_: true`, or
    `partially` for `node` itself, leaves the call to whoever has its other arguments.

    Not Hydra's function of this name: it looks a `_target_` up by rules of its own, and calls whatever it finds.
    """
    if isinstance(node, list):
        return [instantiate(value, f"{path}[{i}]", trust) for i, value in enumerate(node)]
    if not isinstance(node, dict):
        return node
    built = {key: instantiate(v, f"{path}.{key}", trust) for key, v in node.items() if key not in RESERVED}
    if "_target_" not in node:
        return built
    target = resolve(node["_target_"], path, trust)
    return partial(target, **built) if partially or node.get("_partial_") else target(**built)


def factory(tree: Mapping[str, Any], path: str) -> Any:
    """`make` for a `_partial_` node, which holds no state: equal ones are made once, for all runs of a process."""
    return _factory(path, json.dumps([tree.get(path), list(get_trusted(tree))]))


@lru_cache(maxsize=256)
def _factory(path: str, text: str) -> Any:
    node, trust = json.loads(text)
    return make({path: node, "trust": trust}, path)


def explain_refusal(error: Exception, path: str) -> Exception:
    """What a constructor raised, as the mistake that it names, by its full key."""
    if isinstance(error, ConfigError):
        return with_full_key(error, path)
    if isinstance(error, (ValueError, TypeError, MisconfigurationException)) and not isinstance(error, UserError):
        return ConfigError(f"{path}: {' '.join(str(error).split())}")
    return error


def with_full_key(error: ConfigError, path: str) -> ConfigError:
    """`dropout=1.5 is not accepted` → `model.dropout=1.5 is not accepted`."""
    text = str(error)
    word = text.split("=")[0].split(" ")[0]
    return error if "=" not in text.split(" ")[0] or word.startswith(path) else ConfigError(f"{path}.{text}")


def check(config: DictConfig) -> set[str]:
    """Refuse what cannot be run, before anything is written; of the data only a table is read. Draws no random numbers.

    Returns the metrics that a finished run of it reports.
    """
    tree = resolve_config(config)
    check_keys(tree)
    model_class = resolve(tree["model"]["_target_"], "model", get_trusted(tree))
    data_class = resolve(tree["data"]["_target_"], "data", get_trusted(tree))
    spec = EXAMPLES[getattr(model_class, "accepts", PointsSpec)]
    produced = get_spec_type(data_class)
    if produced is not None and produced is not type(spec):
        raise explain_mismatch(tree, produced, type(spec))
    if tree.get("attention") is not None and "attention" not in tree["model"]:
        raise ConfigError(f"attention is not used: {model_class.__name__} takes none of that group, so attention=none")
    data: DataModule = make(tree, "data")
    data.files()
    make(tree, "decoding")
    with torch.device("meta"):
        model: Module = make(tree, "model", spec=data.foresee() or spec)
    unvalidated = (tree.get("trainer") or {}).get("limit_val_batches") == 0
    check_monitors(tree, [name for name in model.logged() if not (unvalidated and name.startswith("val/"))])
    check_optimizer(tree, model)
    callbacks = [make(tree, f"callbacks.{name}") for name in tree.get("callbacks") or {}]
    check_loggers(tree)
    return model.reported(data).union(*(c.reported() for c in callbacks if hasattr(c, "reported")))


def check_loggers(tree: Mapping[str, Any]) -> None:
    """What a logger writes with is installed, and the server that it names answers."""
    for name, node in (tree.get("logger") or {}).items():
        target: Any = resolve(node["_target_"], f"logger.{name}", get_trusted(tree))
        if hasattr(target, "check"):
            given = {key: value for key, value in node.items() if key not in RESERVED}
            _check_logger(target, json.dumps(given, sort_keys=True))


@lru_cache(maxsize=16)
def _check_logger(target: Any, given: str) -> None:
    """Once for all jobs of a sweep."""
    target.check(**json.loads(given))


def find_absent_seeds(config: DictConfig) -> tuple[str, ...]:
    """The seeds that change nothing in a run of this configuration, since it draws nothing from them.

    Those of the order of the full batch, of the noise of a model that draws none, and of data that have none.
    """
    tree = resolve_config(config)
    model_class = resolve(tree["model"]["_target_"], "model", get_trusted(tree))
    data = make(tree, "data")
    with torch.device("meta"):
        spec = data.foresee() or EXAMPLES[getattr(model_class, "accepts", PointsSpec)]
        model: Module = make(tree, "model", spec=spec)
    there = {
        "seeds.order": data.has_order,
        "seeds.noise": model.draws_noise(),
        "data.seed": "seed" in tree["data"],
    }
    return tuple(key for key, draws in there.items() if not draws)


def check_monitors(tree: Mapping[str, Any], logged: Collection[str]) -> None:
    """Every metric that a callback or the scheduler waits for is one that the model logs."""
    nodes = {f"callbacks.{name}": node for name, node in (tree.get("callbacks") or {}).items()}
    for path, node in {**nodes, "scheduler": tree.get("scheduler")}.items():
        monitor = (node or {}).get("monitor")
        if monitor is not None and monitor not in logged:
            # Most come from the recipe, where the reader says it.
            key = "recipe.monitor" if (tree.get("recipe") or {}).get("monitor") == monitor else f"{path}.monitor"
            raise ConfigError.unknown(f"metric {key}", monitor, logged)


def check_optimizer(tree: Mapping[str, Any], model: Module) -> None:
    """Build optimizer and scheduler around one number: their constructors know their ranges."""
    if getattr(model, "automatic_optimization", True) is False:
        for group in ("optimizer", "scheduler"):
            if tree.get(group) is not None:
                raise ConfigError(f"{group} is not used: this model learns by a rule of its own, so {group}=none")
        return
    if tree.get("optimizer") is None:
        raise ConfigError("optimizer=none is not accepted: this model learns by gradient; choose sgd, adam or adamw")
    try:
        optimizer = factory(tree, "optimizer")([torch.nn.Parameter(torch.zeros(1))])
    except (ValueError, TypeError) as error:
        raise ConfigError(f"optimizer: {error}") from None
    if (schedule := factory(tree, "scheduler")) is not None:
        steps, epochs = known_length(tree.get("trainer") or {"max_epochs": 1})
        try:
            schedule(optimizer, total_steps=10 * steps, total_epochs=10 * epochs)
        except ConfigError as error:
            raise with_full_key(error, "scheduler") from None
        except (ValueError, TypeError) as error:
            raise ConfigError(f"scheduler: {error}") from None


def get_spec_type(data_class: Any) -> type | None:
    """The kind of data that a datamodule offers, read off its `spec` property."""
    annotation = getattr(getattr(data_class, "spec", None), "fget", None)
    hint = getattr(annotation, "__annotations__", {}).get("return")
    return {kind.__name__: kind for kind in EXAMPLES}.get(str(hint))


def explain_mismatch(tree: Mapping[str, Any], produced: type, accepted: type) -> ConfigError:
    model, data = tree["model"]["_target_"].rsplit(".", 1)[-1], tree["data"]["_target_"].rsplit(".", 1)[-1]
    return ConfigError(f"{model} reads {DATA_WORDS[accepted]}, and {data} holds {DATA_WORDS[produced]}: choose another")


def seed_everything(seed: int) -> None:
    """The process's generators; what the laboratory draws itself is addressed by (seed, step)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def build_data(tree: Mapping[str, Any]) -> DataModule:
    """The datamodule, set up. What it holds depends on `data.seed`; its shuffling on `seeds.order`."""
    data: DataModule = make(tree, "data")
    data.open(Seeds.of(tree).order)
    if double_precision(tree) and hasattr(data, "to"):
        data.to(torch.float64)
    return data


def double_precision(tree: Mapping[str, Any]) -> bool:
    return str((tree.get("trainer") or {}).get("precision")) in ("64", "64-true")


def build_model(tree: Mapping[str, Any], spec: DataSpec) -> Module:
    """The model as `seeds.init` initialises it, which in training will draw from `seeds.noise`."""
    model_class = resolve(tree["model"]["_target_"], "model", get_trusted(tree))
    accepted = getattr(model_class, "accepts", type(spec))
    if not isinstance(spec, accepted):
        raise explain_mismatch(tree, type(spec), accepted)
    seeds = Seeds.of(tree)
    seed_everything(seeds.init)
    model: Module = make(tree, "model", spec=spec)
    if seeds.noise != seeds.init:
        # The process's generators are left where a net drawn from the noise's own seed leaves them.
        seed_everything(seeds.noise)
        make(tree, "model", spec=spec)
    model.learn_by(seeds.noise, factory(tree, "optimizer"), factory(tree, "scheduler"))
    return model.double() if double_precision(tree) else model


def check_last_batch(data: Any, model: Module) -> None:
    """Batch normalisation has no variance in a batch of one, which the last of an epoch may be."""
    size = getattr(data, "batch_size", None)
    if size is None or not any(isinstance(module, torch.nn.BatchNorm1d) for module in model.modules()):
        return
    examples = len(data.splits["train"].y) if hasattr(data, "splits") else 0
    if examples and examples % size == 1:
        raise ConfigError(
            f"data.batch_size={size} leaves a last batch of one of the {examples} training examples, which batch "
            "normalisation cannot take: choose another size"
        )


def build(tree: Mapping[str, Any], **logger_arguments: Any) -> Experiment:
    """Everything of a run. `logger_arguments` are what only the run knows (its directory)."""
    check_keys(tree)
    data = build_data(tree)
    model = build_model(tree, data.spec)
    check_last_batch(data, model)
    callbacks = {name: make(tree, f"callbacks.{name}") for name in tree.get("callbacks") or {}}
    loggers = [make_logger(tree, name, logger_arguments) for name in tree.get("logger") or {}]
    trainer = make({**tree, "trainer": {**tree["trainer"], "_partial_": True}}, "trainer")
    return Experiment(data, model, {k: c for k, c in callbacks.items() if c is not None}, loggers, trainer)


def make_logger(tree: Mapping[str, Any], name: str, arguments: Mapping[str, Any]) -> Logger:
    """One logger; ours are told the run's directory, Lightning's own are built as they are configured."""
    accepted = parameters(resolve(tree["logger"][name]["_target_"], f"logger.{name}", get_trusted(tree)))
    arguments = {**arguments, "settings": flatten_settings(tree)}
    logger: Logger = make(tree, f"logger.{name}", **{k: v for k, v in arguments.items() if k in accepted})
    return logger
