from __future__ import annotations

from tests.exercises.conftest import Exercise, runs, table


def test_every_bug_in_every_layer_was_tried_and_found(exercise: Exercise) -> None:
    for path, result, config in runs(exercise(8)):
        rows = table(path / "measurements.csv")
        layers = {"hidden.0.linear", "output"}
        tried = {(row["bug"], row["layer"]) for row in rows}
        assert tried == {("none", ""), *((bug, layer) for bug in config["probe"]["bugs"] for layer in layers)}
        broken = [row for row in rows if row["bug"] != "none"]
        assert all(row["named"] == row["layer"] for row in broken)
        assert all(int(row["wrong_layers"]) == (1 if row["layer"] == "hidden.0.linear" else 2) for row in broken)
        assert (result["metrics"]["found"], result["metrics"]["located"]) == (len(broken), len(broken))
        assert result["metrics"]["false_alarms"] == 0
