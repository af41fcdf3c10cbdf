from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probeta.runs.artifacts import FORMS, TEXT, Artifacts
from probeta.runs.reading import Damaged

VALUES: dict[str, Any] = {
    "predictions": {"test_logits": np.array([[0.25, -1.0]]), "test_y": np.array([0])},
    "boundary": {"x1": np.zeros(2), "x2": np.zeros(2), "probability": np.eye(2), "points": np.eye(2), "labels": [0, 1]},
    "translations": [
        {"split": "test", "source": ["taller"], "hypothesis": ["größer"], "reference": ["größer"], "attention": None}
    ],
    "attention_maps": [{"split": "val", "number": 0, "cross": [[[[0.5, 0.5]]]]}],
    "sources.test": ["a line", "", "another"],
    "hypotheses.test": [""],
    "references.val": ["»quoted«, and more"],
    "analysis.test": {"sentences": 1},
    "errors.test": [
        ["number", "source", "hypothesis", "reference"],
        [0, 'a "quoted", text', "", "-1 = x"],
    ],
    "alignment.val": {"aer": 0.5},
    "groups.val": {"depth": []},
    "interventions": [
        {"split": "test", "number": 0, "base": "größer", "links": {"0-0": "x"}, "words": {}, "heads": {}}
    ],
    "explanations": {"sentence": np.arange(3), "weight": np.eye(2)},
    "path": {"epoch": np.arange(2), "weights": np.eye(2)},
    "landscape": {"a": np.arange(2), "b": np.arange(2), "loss": np.eye(2)},
    "columns": {"classes": ["größer", "kleiner"]},
    "model": "class Net:\n    pass\n",
    "origin": {"run": "/outputs/a", "epochs": 4},
    "data": {"root": "/data"},
}


def test_every_kind_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert {name.partition(".")[0] for name in VALUES} == set(FORMS)
    artifacts = Artifacts(tmp_path / "artifacts")
    assert [artifacts.read(name) for name in VALUES] == [None] * len(VALUES)
    artifacts.write(VALUES)
    assert sorted(path.name for path in artifacts.folder.iterdir()) == sorted(artifacts.path(n).name for n in VALUES)
    for name, value in VALUES.items():
        read = artifacts.read(name)
        if name in ("predictions", "boundary", "explanations", "path", "landscape"):
            assert read.keys() == value.keys()
            assert all(np.array_equal(read[key], value[key]) for key in value)
        elif name == "errors.test":
            assert read == [{"number": "0", "source": 'a "quoted", text', "hypothesis": "", "reference": "-1 = x"}]
        else:
            assert read == value


@pytest.mark.parametrize("name", ["boundary", "translations"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_named_and_read_as_an_absent_one(tmp_path: Path, name: str, content: bytes) -> None:
    damage: list[Damaged] = []
    artifacts = Artifacts(tmp_path, damage)
    artifacts.path(name).write_bytes(content)
    with pytest.raises(Damaged, match=f"{name}.* is damaged"):
        Artifacts(tmp_path).read(name)
    assert artifacts.read(name) is None
    assert [found.path for found in damage] == [artifacts.path(name)]
    assert artifacts.boundary() is None
    assert artifacts.translations() == []


def test_a_boundary_that_lacks_an_array_is_none(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    arrays = VALUES["boundary"]
    artifacts.write({"boundary": {**arrays, "more": np.zeros(1)}})
    boundary = artifacts.boundary()
    assert boundary is not None
    assert boundary.keys() == arrays.keys()
    artifacts.write({"boundary": {name: values for name, values in arrays.items() if name != "points"}})
    assert artifacts.boundary() is None


def test_the_vocabulary_is_of_the_kept_text(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    assert artifacts.vocabulary("target") is None
    artifacts.text.mkdir()
    (artifacts.text / TEXT).write_text('{"target": {"vocabulary": ["<pad>", "ja"]}}')
    assert artifacts.vocabulary("target") == ["<pad>", "ja"]
    with pytest.raises(Damaged, match="no vocabulary of the source"):
        artifacts.vocabulary("source")
