"""The grid of all heads."""

from __future__ import annotations

import numpy as np
import pytest

from probeta.figures.heads import head_figures, heads_figure


def test_every_head_of_every_layer_has_its_panel_and_its_weights() -> None:
    weights = np.random.default_rng(0).random((2, 3, 4, 5))
    drawn = heads_figure("Heads", list("abcd"), list("vwxyz"), weights)
    panels = drawn.axes[:6]
    for i, axes in enumerate(panels):
        np.testing.assert_array_equal(axes.images[0].get_array(), weights[i // 3, i % 3])
        assert axes.get_title() == f"layer {i // 3 + 1}, head {i % 3 + 1}"
    assert [t.get_text() for t in panels[3].get_yticklabels()] == list("abcd")
    assert [t.get_text() for t in panels[4].get_xticklabels()] == list("vwxyz")
    with pytest.raises(ValueError, match="3 rows"):
        heads_figure("Heads", list("abc"), list("vwxyz"), weights)


def test_a_run_s_grid_is_of_a_validation_sentence() -> None:
    assert head_figures([]) == {}
    one = {"source": ["x", "y"], "target": ["a", "<eos>"], "inputs": ["<bos>", "a"]}
    kinds = {kind: [[[[0.25, 0.75], [1.0, 0.0]]]] for kind in ("encoder", "decoder", "cross")}
    rows = [{"split": "train", **one, **kinds}, {"split": "val", **one, **kinds, "source": ["u", "v"]}]
    drawn = head_figures(rows)
    assert list(drawn) == ["heads_encoder", "heads_decoder", "heads_cross"]
    assert [t.get_text() for t in drawn["heads_cross"].axes[0].get_xticklabels()] == ["u", "v"]
