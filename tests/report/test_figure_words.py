"""Figures speak the reader's language: every line of theirs that is no name."""

from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import probeta
from probeta.figures.curves import Curve, line_figure, mark_best
from probeta.report.figure_words import WORDS, say_line, translate_figure
from probeta.report.language import Language


def find_lines(figure: Figure) -> set[str]:
    return {
        line for text in figure.findobj(Text) for line in text.get_text().split("\n") if re.search(r"[a-z]{4}", line)
    }


def test_a_figure_is_told_in_another_language() -> None:
    drawn = line_figure("Loss", "epoch", "relative error", {"validation": Curve([1.0, 2.0], [1.0, 0.1])}, log=True)
    mark_best(drawn, 2, "weights kept (epoch 2)")
    told = find_lines(translate_figure(drawn, Language("es")))
    assert told == {
        "Pérdida",
        "época",
        "error relativo, escala log.",
        "validación",
        "pesos conservados (época 2)",
    }


def test_named_places_of_an_axis_are_told_too() -> None:
    drawn = Figure()
    axes = drawn.subplots()
    axes.barh([0, 1], [1.0, 2.0])
    axes.set_yticks([0, 1], ["random order", "w1"], fontsize=8)
    axes.set_xticks([0.0, 1.0, 2.0])
    translate_figure(drawn, Language("es")).canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["orden al azar", "w1"]
    assert {label.get_fontsize() for label in axes.get_yticklabels()} == {8}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("class 1, test", "clase 1, prueba"),
        (
            "(geometric mean, 95 % interval over seeds, n = 8)",
            "(media geométrica, intervalo del 95 % sobre las semillas, n = 8)",
        ),
        ("Attention, validation sentence", "Atención, oración de validación"),
        ("val/loss", "val/loss"),
    ],
)
def test_what_is_composed_keeps_its_parts(line: str, told: str) -> None:
    assert say_line(line, Language("es")) == told


@pytest.mark.slow
def test_no_line_of_runs_and_probes_stays_in_english(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [
        probeta.train("experiment=moons_mlp", "trainer.max_epochs=3", lang="es"),
        probeta.train("experiment=toy_seq2seq_attn", "trainer.max_epochs=2", lang="es"),
        probeta.probe("depth", "probe.depths=[2,3]", "probe.seeds=2", lang="es"),
        probeta.probe("length", "probe.lengths=[5,10]", "probe.seeds=2", lang="es"),
        probeta.probe("gradcheck", lang="es"),
        probeta.probe("bug_hunt", "model.depth=1", lang="es"),
        probeta.probe("state_machine", "probe.restarts=2", "probe.updates=20", lang="es"),
        probeta.probe("layers", lang="es"),
        probeta.probe("curvature", "data=moons", "model=mlp", "model.width=4", "probe.seeds=2", lang="es"),
        probeta.probe("landscape", "data=moons", "model=mlp", "model.width=4", "probe.points=5", lang="es"),
    ]
    small = "probe.sentences=2", "probe.path_steps=2"
    runs.append(probeta.probe("attention", f"run={runs[1].path}", *small, lang="es"))
    english = [probeta.Run(run.path).figures() for run in runs]
    left = {
        line
        for run, same in zip(runs, english, strict=True)
        for name, figure in run.figures().items()
        for line in find_lines(figure) & find_lines(same[name])
        if " " in line or line in WORDS  # what else is one word is a layer's, a bug's or a token
    }
    assert left == set()
