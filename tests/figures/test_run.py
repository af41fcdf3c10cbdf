"""A run's figures are drawn from its directory alone, without torch, and look like its data."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from probeta.commands.report import main as report
from probeta.errors import ConfigError
from probeta.figures.attention import attention_figure
from probeta.figures.boundary import BoundaryPictures, boundary_figure
from probeta.figures.curves import Curve, layers_figure, line_figure, needs_log
from probeta.figures.reliability import reliability_figure
from probeta.figures.run import draw, make_figures
from probeta.figures.style import COLOURS, LINES, MARKERS, own_settings, save, typeset
from probeta.metrics.calibration import probabilities, reliability
from probeta.runs.artifacts import FIGURES


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A directory as a finished classifier leaves it."""
    columns = ["step", "epoch", "train/loss", "val/loss", "train/acc", "val/acc", "lr", "grad_norm/hidden.0.linear"]
    columns += ["grad_norm/output", "grad_norm/total"]
    lines = [",".join(columns)]
    for epoch in range(30):
        loss = 0.7 * 0.9**epoch + 0.01
        norms = [f"{loss / 2}", f"{loss}", f"{loss * 1.2}"] if epoch % 10 == 0 else ["", "", ""]
        lines.append(",".join([str(epoch + 1), str(epoch), f"{loss}", f"{loss * 1.1}", "0.9", "0.8", "0.2", *norms]))
    (tmp_path / "metrics.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "result.json").write_text(json.dumps({"status": "completed", "metrics": {"best_epoch": 12.0}}))
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    rng = np.random.default_rng(0)
    grid = np.linspace(-2, 2, 25)
    points = rng.normal(size=(40, 2))
    y = (points.sum(1) > 0).astype(int)
    np.savez(
        artifacts / "boundary.npz", x1=grid, x2=grid, points=points, labels=y,
        probability=1 / (1 + np.exp(-(grid[None] + grid[:, None]))), split=np.array(["train"] * 30 + ["test"] * 10),
    )  # fmt: skip
    logits = np.stack([-points.sum(1), points.sum(1)], 1)
    np.savez(artifacts / "predictions.npz", test_logits=logits, test_y=y, val_logits=logits, val_y=y)
    sentence = {
        "split": "test",
        "source": ["<bos>", "a", "<eos>"],
        "reference": ["ein"],
        "hypothesis": ["ein", "<eos>"],
    }
    translations = [{**sentence, "attention": [[0.1, 0.8, 0.1], [0.0, 0.1, 0.9]]}, {**sentence, "attention": None}]
    (artifacts / "translations.json").write_text(json.dumps(translations))
    return tmp_path


def test_every_figure_that_the_run_has_data_for_is_drawn(run_dir: Path) -> None:
    drawn = draw(run_dir)
    expected = ["loss", "accuracy", "learning_rate", "gradient_norm", "boundary", "reliability", "attention_1"]
    assert [path.stem for path in drawn] == expected
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert {path.parent for path in drawn} == {run_dir / "figures"}


def test_an_empty_directory_has_no_figures(tmp_path: Path) -> None:
    assert draw(tmp_path) == []


def test_drawing_twice_gives_the_same_bytes(run_dir: Path) -> None:
    first = [path.read_bytes() for path in draw(run_dir)]
    assert [path.read_bytes() for path in draw(run_dir)] == first


@pytest.mark.parametrize(("kind", "head"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_vector_figures_stand_beside_each_png_and_are_the_same_bytes(run_dir: Path, kind: str, head: bytes) -> None:
    first = {path.name: path.read_bytes() for path in draw(run_dir, formats=FIGURES[kind])}
    assert sorted(first) == sorted(
        f"{path.stem}.{ending}" for path in draw(run_dir) for ending in ("png", "svg", "pdf")
    )
    assert all(content.startswith(head) for name, content in first.items() if name.endswith(kind))
    assert {path.name: path.read_bytes() for path in draw(run_dir, formats=FIGURES[kind])} == first


def test_a_figure_replaces_a_link_and_leaves_what_it_points_to(run_dir: Path, tmp_path: Path) -> None:
    (run_dir / "figures").mkdir()
    (tmp_path / "other").write_text("mine")
    (run_dir / "figures" / "loss.svg").symlink_to(tmp_path / "other")
    draw(run_dir, formats=FIGURES["svg"])
    assert (tmp_path / "other").read_text() == "mine"
    assert not (run_dir / "figures" / "loss.svg").is_symlink()


def test_the_report_draws_every_run_of_a_sweep_in_the_format_asked_for(run_dir: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    shutil.copytree(run_dir, sweep / "job", ignore=shutil.ignore_patterns("sweep"))
    assert report([str(sweep), "figures=pdf"]) == 0
    assert (sweep / "job" / "figures" / "loss.pdf").is_file()
    with pytest.raises(ConfigError, match="figures=jpg is not accepted: all, none, png, svg, pdf"):
        report([str(sweep), "figures=jpg"])


def test_figures_need_neither_torch_nor_pyplot(run_dir: Path) -> None:
    code = (
        "import sys, pathlib; from probeta.figures.run import draw; draw(pathlib.Path(sys.argv[1]));"
        "print([m for m in ('torch', 'matplotlib.pyplot', 'pandas') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(run_dir)], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_missing_values_are_left_out_of_a_curve(run_dir: Path) -> None:
    axes = make_figures(run_dir)["loss"].axes[0], make_figures(run_dir)["gradient_norm"].axes[0]
    points = [{line.get_label(): len(line.get_xdata()) for line in one.get_lines()} for one in axes]
    assert points[0]["training"] == 30
    assert points[1]["all layers together"] == 3


def test_curves_differ_by_more_than_colour() -> None:
    curves = {str(i): Curve([1, 2, 3], [i, i + 1, i + 2]) for i in range(7)}
    lines = line_figure("t", "x", "y", curves).axes[0].get_lines()
    assert len({line.get_color() for line in lines}) == len(COLOURS)
    assert len({line.get_marker() for line in lines}) == len(MARKERS)
    assert len({str(line._dash_pattern) for line in lines}) == len(LINES)  # type: ignore[attr-defined]


def test_an_axis_is_logarithmic_only_where_values_need_it() -> None:
    assert needs_log(np.array([1e-4, 1.0]))
    assert not needs_log(np.array([0.5, 1.0]))
    assert not needs_log(np.array([0.0, 1.0]))
    assert line_figure("t", "x", "y", {"a": Curve([1, 2], [1e-5, 1.0])}).axes[0].get_yscale() == "log"


def test_many_layers_become_a_heat_map() -> None:
    layers = {f"layer{i}": Curve([1, 2, 3], [0.1, 0.2, 0.3]) for i in range(12)}
    drawn = layers_figure("t", "epoch", "norm", layers, None)
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == list(layers)


def test_the_boundary_is_drawn_where_probability_is_one_half() -> None:
    grid = np.linspace(0, 1, 11)
    probability = np.tile(grid, (11, 1))
    drawn = boundary_figure("t", grid, grid, probability, np.array([[0.2, 0.2], [0.8, 0.8]]), np.array([0, 1]))
    crossings = [
        path for c in drawn.axes[0].collections for path in c.get_paths() if np.allclose(path.vertices[:, 0], 0.5)
    ]
    assert crossings


def test_boundaries_of_several_runs_are_those_drawn_one_by_one() -> None:
    rng = np.random.default_rng(0)
    grid, points, labels = np.linspace(-1, 1, 30), rng.normal(size=(40, 2)), rng.integers(0, 2, 40)
    split = np.array(["train", "test"] * 20)
    pictures = BoundaryPictures("t", 150)
    for moved in (0.0, 0.0, 1.0):  # the third run has other points
        shown: dict[str, Any] = {"x1": grid, "x2": grid, "points": points + moved, "labels": labels, "split": split}
        probability, predicted = rng.random((30, 30)), rng.integers(0, 3, (30, 30))
        one_class = np.zeros_like(predicted)
        for varied in ({"probability": probability}, {"probability": probability, "predicted": predicted},
                       {"probability": probability, "predicted": one_class}):  # fmt: skip
            content = io.BytesIO()
            with own_settings():
                alone = FigureCanvasAgg(typeset(boundary_figure("t", **shown, **varied)))
                alone.print_png(content, metadata={"Software": None})
            assert pictures.png(**shown, **varied) == content.getvalue()


def test_a_reliability_diagram_states_its_error() -> None:
    rng = np.random.default_rng(1)
    probability = probabilities(rng.normal(size=(50, 2)))
    bins = reliability(probability, rng.integers(0, 2, 50))
    texts = [t.get_text() for t in reliability_figure("t", {"as predicted": bins}).axes[0].get_legend().get_texts()]
    assert f"as predicted: ECE {bins.error:.4f}" in texts


def test_attention_under_labels_that_do_not_match_is_refused() -> None:
    with pytest.raises(ValueError, match="2 produced and 3 source"):
        attention_figure("t", ["<bos>", "a", "<eos>"], ["ein", "<eos>"], [[0.1, 0.8, 0.1]])


def test_gold_links_are_framed_at_their_words() -> None:
    drawn = attention_figure("t", ["a", "b", "c"], ["x", "y"], np.eye(3)[:2], gold=[[2, 0, 1], [1, 1, 0]])
    frames = [patch.get_bbox() for patch in drawn.axes[0].patches]
    assert [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in frames] == [(2.0, 0.0), (1.0, 1.0)]


def test_figures_are_saved_in_every_format_asked_for(tmp_path: Path) -> None:
    drawn = line_figure("t", "x", "y", {"a": Curve([1, 2], [1, 2])})
    assert [p.name for p in save(drawn, tmp_path / "f.1", ("png", "svg"))] == ["f.1.png", "f.1.svg"]
    assert "<svg" in (tmp_path / "f.1.svg").read_text()


def test_what_is_0_everywhere_is_not_drawn_from_below_0() -> None:
    flat = line_figure("BLEU", "epoch", "BLEU", {"val": Curve([1, 2], [0.0, 0.0])}, log=False).axes[0]
    assert flat.get_ylim() == (0, 1)
    low = line_figure("BLEU", "epoch", "BLEU", {"val": Curve([1, 2], [0.0, 50.0])}, log=False).axes[0]
    assert low.get_ylim()[0] == 0
    signed = line_figure("margin", "epoch", "margin", {"val": Curve([1, 2], [-1.0, 0.0])}, log=False).axes[0]
    assert signed.get_ylim()[0] < -1


@pytest.mark.parametrize("span", [1.5, 4, 25, 1e3, 1e9])
def test_labels_of_a_logarithmic_axis_do_not_overlap(span: float) -> None:
    drawn = line_figure("norm", "epoch", "norm", {"a": Curve([0.13, 0.13 * span], [0, 1])}, log=False)
    [axes] = drawn.axes
    axes.set_xscale("log")
    FigureCanvasAgg(typeset(drawn)).draw()
    labels = [*axes.get_xticklabels(), *axes.get_xticklabels(minor=True)]
    boxes = [label.get_window_extent() for label in labels if label.get_text()]
    left, right = axes.bbox.x0 - 1, axes.bbox.x1 + 1
    seen = sorted((box.x0, box.x1) for box in boxes if left <= (box.x0 + box.x1) / 2 <= right)
    assert len(seen) >= 2
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(seen))
