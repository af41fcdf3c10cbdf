from __future__ import annotations

import pytest

from tests.exercises.conftest import Exercise, runs, table


@pytest.mark.slow
def test_the_greatest_errors_are_those_of_the_checked_parameters(exercise: Exercise) -> None:
    found = runs(exercise(7))
    assert len(found) == 8
    for path, result, config in found:
        rows = [row for row in table(path / "measurements.csv") if row["quantity"] == "layer"]
        assert all(int(row["count"]) <= config["probe"]["count"] for row in rows)
        for dtype in ("float64", "float32"):
            errors = [float(row["max_error"]) for row in rows if row["dtype"] == dtype]
            assert result["metrics"][f"max_error/{dtype}"] == pytest.approx(
                max(errors), rel=1e-5
            )  # the table has six digits
            assert errors


def test_the_page_s_table_has_every_layer_of_every_net(exercise: Exercise) -> None:
    folder = exercise(7)
    page = (folder / "report.html").read_text()
    layers = {row["layer"] for path, _, _ in runs(folder) for row in table(path / "measurements.csv") if row["layer"]}
    assert len(layers) >= 8
    assert all(layer in page for layer in layers)
