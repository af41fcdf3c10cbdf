from __future__ import annotations

from pathlib import Path

import pytest

from probeta.figures.explained import NAMES
from probeta.figures.probes import probe_figures
from probeta.probes.probe import write_measurements


def test_bars_are_the_means_of_the_table(tmp_path: Path) -> None:
    area = {"random": 0.5, "weight": 0.3, "left_out": 0.2}
    drop = {"nothing": 0.0, "all cut": 3.0, "gold": -0.5}
    rows = [{"quantity": "area", "name": name, "kind": "all", "value": v, "n": 9} for name, v in area.items()]
    rows += [{"quantity": "area", "name": "weight", "kind": "noun", "value": 0.9, "n": 9}]
    rows += [{"quantity": "drop", "name": name, "kind": "", "value": v, "n": 9} for name, v in drop.items()]
    write_measurements(tmp_path / "measurements.csv", "attention", rows)
    drawn = probe_figures(tmp_path / "measurements.csv")

    def bars(name: str) -> dict[str, float]:
        [axes] = drawn[name].axes
        labels = [label.get_text() for label in axes.get_yticklabels()]
        return dict(zip(labels, (patch.get_width() for patch in axes.patches), strict=True))  # type: ignore[attr-defined]

    assert bars("explanations") == pytest.approx({NAMES[name]: value for name, value in area.items()})
    assert bars("interventions") == pytest.approx({"gold": -0.5, "all cut": 3.0})
