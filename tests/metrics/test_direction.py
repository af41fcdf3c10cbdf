import math

import pytest

from probeta.errors import ConfigError
from probeta.metrics.direction import bounds, direction, is_maximised, quantity, resolve_mode


def test_the_direction_of_a_metric_follows_from_its_name() -> None:
    rising = ("test/acc", "val/bleu_13a", "test/recall/1", "reach/lstm", "found", "located", "test/attention_coverage")
    falling = ("val/loss", "val/loss_free", "max_error/float32", "test/ece_scaled", "test/aer_head", "train/errors")
    neither = ("rate/rnn", "weight_norm", "best_epoch", "epochs", "test/temperature", "test/attention_entropy")
    assert [direction(name) for name in rising] == ["max"] * len(rising)
    assert [direction(name) for name in falling] == ["min"] * len(falling)
    assert [direction(name) for name in neither] == [None] * len(neither)
    assert all(map(is_maximised, (*rising, "test/f1/lost", "test/recall/error")))
    assert bounds("val/precision/some class") == (0.0, 1.0)
    assert not any(map(is_maximised, (*falling, *neither)))


def test_a_mode_follows_from_the_metric_and_may_not_contradict_it() -> None:
    assert resolve_mode("val/acc", "auto") == resolve_mode("val/acc", "max") == "max"
    assert resolve_mode("val/loss", "auto") == "min"
    assert resolve_mode("val/mine", "max") == "max"
    with pytest.raises(ConfigError, match=r"mode=min is not accepted: more of val/acc is better"):
        resolve_mode("val/acc", "min")
    with pytest.raises(ConfigError, match=r"not known which way monitor=val/mine"):
        resolve_mode("val/mine", "auto")


@pytest.mark.parametrize(
    ("metric", "least", "relative"),
    [
        ("test/acc", 0.001, 0.0),
        ("test/f1/1", 0.001, 0.0),
        ("generalization_gap", 0.001, 0.0),
        ("test/bleu", 0.1, 0.0),
        ("test/chrf", 0.1, 0.0),
        ("epochs_to_target", 0.5, 0.0),
        ("test/loss", 0.0, 0.01),
        ("weight_norm", 0.0, 0.01),
    ],
)
def test_each_quantity_has_a_smallest_difference_worth_telling(metric: str, least: float, relative: float) -> None:
    found = quantity(metric)
    assert (found.least, found.relative) == (least, relative)
    assert found.up == {"max": True, "min": False, None: None}[direction(metric)]


@pytest.mark.parametrize(
    ("metric", "limits"),
    [
        ("test/acc", (0.0, 1.0)),
        ("test/f1/1", (0.0, 1.0)),
        ("val/bleu", (0.0, 100.0)),
        ("test/attention_jumps", (0.0, 1.0)),
        ("saturated_share", (0.0, 1.0)),
        ("first_layer_share", (0.0, math.inf)),
        ("best_epoch", (0.0, math.inf)),
        ("grad_norm/total", (0.0, math.inf)),
        ("early_loss", (0.0, math.inf)),
        ("generalization_gap", (-math.inf, math.inf)),
        ("margin", (-math.inf, math.inf)),
        ("explain/cut/others", (0.0, 1.0)),
        ("explain/tau/weight", (-1.0, 1.0)),
        ("explain/exact_match/all_cut", (0.0, 1.0)),
        ("explain/explained/weight", (-math.inf, math.inf)),
    ],
)
def test_an_interval_is_cut_to_what_its_metric_can_be(metric: str, limits: tuple[float, float]) -> None:
    assert bounds(metric) == limits
