from __future__ import annotations

import json

import numpy as np
import pytest

from probeta.exercises.exercise_18 import distinct, labels, pick_sentences
from tests.exercises.conftest import Exercise, runs


def sentence(path: list[int], source: int = 6) -> dict[str, object]:
    """A translation whose every word looks at one source word."""
    attention = np.eye(source + 2)[[place + 1 for place in path]].tolist()
    words = [f"w{i}" for i in range(len(path))]
    return {"source": ["<bos>", *"abcdef"[:source], "<eos>"], "hypothesis": words, "attention": attention}


def test_labels_follow_the_path_over_the_source() -> None:
    assert labels(sentence([0, 1, 2, 3, 4])) == ("diagonal",)
    assert labels(sentence([5, 0, 4, 1])) == ("jumps",)
    assert labels(sentence([2, 2, 2, 3])) == ("repetitions",)


def test_two_sentences_of_each_label_are_chosen_the_plainest_first() -> None:
    diagonal = [sentence([0, 1, 2, 3, k]) for k in (4, 5)]
    jumps = [sentence([5, 0, 4, 1, k]) for k in (0, 3)]
    repetitions = [sentence([2, 2, 2, 2, k]) for k in (3, 4)]
    mixed = [sentence([0, 0, 0, 5, 0])]
    entries = [*mixed, *diagonal, *jumps, *repetitions, *diagonal]
    assert pick_sentences(entries) == [*diagonal, *jumps, *repetitions]


def test_words_that_stand_twice_have_places_of_their_own() -> None:
    assert len(set(distinct(["the", "cat", "the", "the"]))) == 4
    assert [word.strip("\u200b") for word in distinct(["the", "the"])] == ["the", "the"]


@pytest.mark.slow
def test_the_maps_drawn_are_the_first_run_s_weights(exercise: Exercise) -> None:
    folder = exercise(18)
    script = (folder / "report.html").read_text().split('id="data">')[1].split("</script>")[0]
    charts = json.loads(script)["charts"]
    assert len(charts) >= 5
    plain = [path for path, result, _ in runs(folder) if result["seed"] == 1 and "dropout" not in path.name]
    kept = [entry for path in plain for entry in json.loads((path / "artifacts" / "translations.json").read_text())]
    for chart in charts:
        assert any(
            np.shape(entry["attention"]) == np.shape(chart["z"])
            and np.allclose(entry["attention"], chart["z"], rtol=1e-4)
            for entry in kept
        )
