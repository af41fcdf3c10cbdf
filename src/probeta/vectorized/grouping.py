"""Which runs can be members of one ensemble, and why the others cannot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from probeta.config.trust import get_trusted, resolve
from probeta.runs.artifacts import FIGURES
from probeta.vectorized.optimizers import OPTIONS

Tree = Mapping[str, Any]

CALLBACKS = {
    f"probeta.callbacks.{module}": name
    for module, name in (
        ("early_stopping.EarlyStopping", "early stopping"),
        ("checkpoint.Checkpoint", "checkpoints"),
        ("learning_rate.LearningRate", "learning rate"),
        ("gradient_norm.GradientNorm", "gradient norm"),
        ("curvature.Curvature", "curvature"),
        ("path.WeightPath", "path"),
    )
}
"""What `loop` does for every member; any other callback needs the Trainer."""

DRAWING = ("probeta.callbacks.boundary.DecisionBoundary", "probeta.callbacks.translations.Translations")
"""These draw into TensorBoard while a run trains, and only where the run draws figures."""

AVERAGE = "probeta.callbacks.average.WeightAverage"

LOGGERS = tuple(
    f"probeta.loggers.{name}" for name in ("csv.MetricsCSV", "mlflow.MLflow", "tensorboard.TensorBoard", "wandb.Wandb")
)
"""These take the rows of a run that is over."""

TRAINER: dict[str, tuple[Any, ...]] = {
    "devices": (1, "auto"),
    "strategy": (None, "auto"),
    "precision": (None, 32, 64, "32", "64", "32-true", "64-true"),
    "accumulate_grad_batches": (None, 1),
    "check_val_every_n_epoch": (1,),
    "accelerator": ("auto", "measured", "cpu", "gpu", "cuda", "mps"),
    "gradient_clip_algorithm": (None, "norm"),
}
"""Trainer keys whose meaning is kept, and with which values; `FREE` ones with any."""

FREE = ("_target_", "max_epochs", "gradient_clip_val", "log_every_n_steps", "deterministic", "enable_progress_bar")

PER_MEMBER = ("init_scale", "class_weight")
DROPOUT = ("dropout", "output_dropout")


def reason_against(tree: Tree) -> str | None:
    """Why the run `tree` (a resolved configuration) needs a process of its own; `None` where it does not."""
    model = tree["model"]["_target_"]
    if not getattr(resolve(model, "model", get_trusted(tree)), "vectorizes", False):
        return f"{model.rsplit('.', 1)[-1]} does not say that it can be vectorized"
    if tree.get("checkpoints") == "all":
        return "checkpoints=all keeps the Trainer's own state"
    if tree.get("compile"):
        return "compile=true compiles one net, not an ensemble"
    draws = bool(FIGURES[tree.get("figures") or "none"])
    for name, node in (tree.get("callbacks") or {}).items():
        if node is None or node.get("_target_") in (CALLBACKS if draws else {*CALLBACKS, *DRAWING}):
            continue
        if node.get("_target_") != AVERAGE or node.get("last") is not None:
            return f"callbacks.{name} needs a Trainer"
    for name, node in (tree.get("logger") or {}).items():
        if node.get("_target_") not in LOGGERS:
            return f"logger.{name} needs a Trainer"
    return reason_in_optimizer(tree.get("optimizer") or {}) or reason_in_trainer(tree.get("trainer") or {})


def reason_in_optimizer(node: Tree) -> str | None:
    target = node.get("_target_")
    if target not in OPTIONS:
        return f"{target} cannot have per-member learning rates in the vectorized launcher"
    known = {*OPTIONS[target]["defaults"], "_target_", "_partial_"}
    for key, value in node.items():
        if key not in known and value not in (None, False):
            return f"optimizer.{key} cannot vary per run in the vectorized launcher"
    return None


def reason_in_trainer(node: Tree) -> str | None:
    for key, value in node.items():
        if key in TRAINER and value not in TRAINER[key]:
            return f"trainer.{key}={value} is the Trainer's own"
        if key not in TRAINER and key not in FREE:
            return f"trainer.{key} is the Trainer's own"
    if (epochs := node.get("max_epochs", 1)) is None or epochs < 1:  # as many as it takes, or none
        return f"trainer.max_epochs={epochs} is the Trainer's own"
    return None


def signature(tree: Tree) -> str:
    """What all members of an ensemble share: runs of equal signatures may be stacked."""
    callbacks = tree.get("callbacks") or {}
    norm = callbacks.get("gradient_norm")
    optimizer = tree["optimizer"]
    shared = {
        "model": strip_per_member(tree["model"]),
        "data": {k: v for k, v in tree["data"].items() if k not in ("seed", "fold")},
        "optimizer": [optimizer["_target_"], {k: optimizer.get(k) for k in OPTIONS[optimizer["_target_"]]["shared"]}],
        "trainer": tree["trainer"],
        "gradient_norm": norm,
        "curvature": callbacks.get("curvature"),
        "learning_rate": "learning_rate" in callbacks,
        "logger": sorted(tree.get("logger") or {}),
        "keeps": [tree.get("checkpoints"), tree.get("figures")],
        "trust": tree.get("trust"),
    }
    return json.dumps(shared, sort_keys=True, default=str)


def strip_per_member(node: Any) -> Any:
    """A model's node without what may differ between members; a dropout probability becomes whether it is above 0."""
    if isinstance(node, Mapping):
        kept = {k: v for k, v in node.items() if k not in PER_MEMBER}
        return {k: bool(v) if k in DROPOUT else strip_per_member(v) for k, v in kept.items()}
    return [strip_per_member(v) for v in node] if isinstance(node, list) else node


def group_trees(trees: Iterable[Tree]) -> list[list[int]]:
    """The positions of the `trees` that can be members of one ensemble, in their order."""
    groups: dict[str, list[int]] = {}
    for place, tree in enumerate(trees):
        groups.setdefault(signature(tree), []).append(place)
    return list(groups.values())
