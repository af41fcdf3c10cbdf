from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_circles
from sklearn.neighbors import KNeighborsClassifier

from probeta.data.shapes import SHAPES, ShapesData
from probeta.errors import ConfigError


def drawn(shape: str, **settings: object) -> ShapesData:
    data = ShapesData(shape, **settings)  # type: ignore[arg-type]
    data.open(0)
    return data


@pytest.mark.parametrize("shape", SHAPES)
def test_a_neighbour_classifies_what_a_line_does_not_have_to(shape: str) -> None:
    data = drawn(shape, noise=0.02)
    x, y = (tensor.numpy() for tensor in data.splits["train"])
    twin = KNeighborsClassifier(3).fit(x, y)
    assert twin.score(*(tensor.numpy() for tensor in data.splits["test"])) >= 0.95
    assert data.spec.class_counts == tuple(np.bincount(y))
    assert (data.foresee().in_features, data.foresee().classes) == (data.spec.in_features, data.spec.classes)


def test_circles_are_scikit_learn_s() -> None:
    data = drawn("circles", n_samples=100, noise=0.1)
    x, _ = make_circles(100, noise=0.1, random_state=42, factor=0.5)
    found = np.concatenate([split.x.numpy() for split in data.splits.values()])
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, x.astype(np.float32).tolist()))


def test_arms_and_clouds_are_as_many_as_asked_for() -> None:
    for shape in ("blobs", "spirals"):
        assert drawn(shape, classes=5).spec.class_counts == (144,) * 5


def test_xor_is_labelled_before_noise_is_added() -> None:
    clean, noisy = drawn("xor", noise=0.0).splits["train"], drawn("xor", noise=0.5).splits["train"]
    assert all((x[0] * x[1] < 0) == y for x, y in zip(*clean, strict=True))
    assert not all((x[0] * x[1] < 0) == y for x, y in zip(*noisy, strict=True))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"shape": "square"}, "unknown shape 'square'"),
        ({"shape": "xor", "classes": 3}, "classes=3 is not accepted: a whole number from 2 to 2"),
        ({"shape": "blobs", "noise": -1}, "noise=-1"),
        ({"shape": "blobs", "classes": 4, "n_samples": 30}, "n_samples=30 is not accepted: a whole number from 40"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ShapesData(**settings)  # type: ignore[arg-type]
