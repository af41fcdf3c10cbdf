"""The figures of a finished run, drawn from its directory alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from probeta.figures.attention import attention_figure
from probeta.figures.boundary import boundary_figure
from probeta.figures.confusion import confusion_figure
from probeta.figures.curves import Curve, layers_figure, line_figure, mark_best
from probeta.figures.heads import head_figures
from probeta.figures.landscape import artifact_figures
from probeta.figures.probes import probe_figures
from probeta.figures.reliability import reliability_figure
from probeta.figures.style import save
from probeta.metrics.calibration import fit_temperature, probabilities, reliability
from probeta.runs.artifacts import VECTOR, Artifacts
from probeta.runs.directory import RunDirectory
from probeta.runs.record import read_result
from probeta.runs.row import read_curves

Curves = Mapping[str, Mapping[int, float]]
"""Metric → epoch, from 0 → value."""

MOST_SENTENCES = 4
SPLITS = {"train": "training", "val": "validation", "test": "test"}


def draw(run_dir: Path, best_epoch: float | None = None, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw `make_figures` into `figures/`, those of a probe in vector formats too; returns the files, in that order.

    `formats` are those of `runs.artifacts.FIGURES`.
    """
    formats = [*formats, *VECTOR] if is_probe(run_dir) else formats
    figures = make_figures(run_dir, best_epoch)
    return [path for name, drawn in figures.items() for path in save(drawn, run_dir / "figures" / name, formats)]


def is_probe(run_dir: Path) -> bool:
    return (run_dir / "measurements.csv").is_file()


def make_figures(run_dir: Path, best_epoch: float | None = None) -> dict[str, Figure]:
    """Everything that the run, or the probe, left data for, by name.

    `best_epoch` (from 1) is that of the weights kept; a finished run's `result.json` says it too.
    """
    if is_probe(run_dir):
        return probe_figures(run_dir / "measurements.csv")
    curves = read_curves(run_dir)
    if best_epoch is None:
        best_epoch = ((read_result(run_dir) or {}).get("metrics") or {}).get("best_epoch")
    figures: dict[str, Figure] = {**metric_figures(curves, best_epoch), **layer_figures(curves)}
    artifacts = RunDirectory(run_dir).artifacts
    if (boundary := artifacts.boundary()) is not None:
        figures["boundary"] = boundary_figure("Decision boundary", **boundary)
    if (arrays := artifacts.read("predictions")) is not None:
        if boundary is None:
            figures["confusion"] = classes_figure(arrays)
        figures["reliability"] = calibration_figure(arrays)
    if (arrays := artifacts.read("landscape")) is not None:
        figures |= artifact_figures(arrays)
    for i, sentence in enumerate(select_attended(artifacts)):
        figures[f"attention_{i + 1}"] = attention_figure(
            f"Attention, {SPLITS.get(sentence['split'], sentence['split'])} sentence",
            sentence["source"], sentence["hypothesis"], sentence["attention"], sentence.get("reference"),
            sentence.get("gold"),
        )  # fmt: skip
    return figures | head_figures(artifacts.read("attention_maps") or [])


def select_curves(curves: Curves, names: Mapping[str, str]) -> dict[str, Curve]:
    """Against the epoch, counted from 1, the curves that there are of `names` (metric → words)."""
    found = {words: curves[name] for name, words in names.items() if name in curves}
    return {words: Curve([epoch + 1 for epoch in curve], list(curve.values())) for words, curve in found.items()}


def metric_figures(curves: Curves, best: float | None) -> dict[str, Figure]:
    """Loss, accuracy or translation quality, and learning rate, against the epoch."""
    pairs = {
        "loss": ("Loss", "cross-entropy (nats per example or token)", {
            "train/loss": "training", "val/loss": "validation", "val/loss_free": "validation, free-running",
        }),
        "accuracy": ("Accuracy", "accuracy (share right)", {"train/acc": "training", "val/acc": "validation"}),
        "bleu": ("BLEU", "corpus BLEU (0 to 100)", {"train/bleu": "training", "val/bleu": "validation"}),
        "exact_match": ("Exact translations", "share of sentences", {
            "train/exact_match": "training", "val/exact_match": "validation",
        }),
        "errors": ("Errors of the perceptron", "points on the wrong side in an epoch", {"train/errors": "training"}),
        "learning_rate": ("Learning rate", "learning rate", {
            name: name.replace("lr/", "group ") for name in curves if name == "lr" or name.startswith("lr/")
        }),
    }  # fmt: skip
    # The last epoch's weights need no mark.
    marked = best is not None and best < max((epoch for curve in curves.values() for epoch in curve), default=0) + 1
    figures = {}
    for name, (title, unit, wanted) in pairs.items():
        if drawn := select_curves(curves, wanted):
            log = None if name == "loss" else False
            figures[name] = line_figure(title, "epoch", unit, drawn, log=log)
            if name == "learning_rate":
                figures[name].axes[0].set_ylim(bottom=0)
            if best is not None and marked and name in ("loss", "accuracy", "bleu", "exact_match"):
                mark_best(figures[name], best, f"weights kept (epoch {best:.0f})")
    return figures


def layer_figures(curves: Curves) -> dict[str, Figure]:
    """What was recorded of every layer: gradient norms, weight norms, saturated units."""
    kinds = {
        "grad_norm": ("gradient_norm", "Gradient norm by layer, before clipping", "‖∂L/∂θ‖₂"),
        "weight_norm": ("weight_norm", "Weight norm by layer", "‖θ‖₂"),
        "saturated": ("saturation", "Saturated units by layer", "share of activations in saturation"),
    }
    figures = {}
    for prefix, (file, title, unit) in kinds.items():
        names = {name: name.removeprefix(f"{prefix}/") for name in curves if name.startswith(f"{prefix}/")}
        layers = select_curves(curves, names)
        total = layers.pop("total", None)
        if layers:
            figures[file] = layers_figure(title, "epoch", unit, layers, total)
    return figures


def classes_figure(arrays: Mapping[str, NDArray[Any]]) -> Figure:
    """The confusion matrix of the test set."""
    split = "test" if "test_logits" in arrays else "val"
    logits = arrays[f"{split}_logits"]
    names = arrays.get("class_names", range(logits.shape[1]))
    title = f"Classes of the {SPLITS[split]} set"
    return confusion_figure(title, arrays[f"{split}_y"], logits.argmax(axis=1), [str(name) for name in names])


def calibration_figure(arrays: Mapping[str, NDArray[Any]]) -> Figure:
    """The test set's reliability, as predicted and after temperature scaling fitted on validation."""
    split = "test" if "test_logits" in arrays else "val"
    logits, y = arrays[f"{split}_logits"], arrays[f"{split}_y"]
    diagrams = {"as predicted": reliability(probabilities(logits), y)}
    if split == "test" and "val_logits" in arrays:
        temperature = fit_temperature(arrays["val_logits"], arrays["val_y"])
        diagrams[f"at temperature {temperature:.2f}"] = reliability(probabilities(logits, temperature), y)
    return reliability_figure(f"Reliability on the {SPLITS[split]} set", diagrams)


def select_attended(artifacts: Artifacts) -> list[dict[str, Any]]:
    """Kept translations with attention, half of them of sentences that were trained on where there are both."""
    usable = [entry for entry in artifacts.translations() if entry.get("attention")]
    known = [entry for entry in usable if entry.get("split") == "train"]
    new = [entry for entry in usable if entry.get("split") != "train"]
    half = MOST_SENTENCES // 2
    return [*known[:half], *new[:half], *known[half:], *new[half:]][:MOST_SENTENCES]
