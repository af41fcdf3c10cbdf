from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from probeta.exercises.results import Results
from probeta.report.answer import Verdict
from probeta.report.claims import Expectation, judge, lead
from probeta.report.language import Language
from probeta.report.summary import summarise
from probeta.runs.row import RunRow
from probeta.runs.table import SweepRuns
from probeta.stats.families import Family
from probeta.stats.values import Quantity, Values

ENGLISH = Language("en")
Group = dict[str, dict[int, float]]


def test_who_is_behind_on_every_shared_seed_does_not_lead() -> None:
    a = {0: 0.80, 1: 0.81, 2: 0.79, 3: 0.80, **dict.fromkeys(range(4, 14), 0.99)}
    b = {0: 0.90, 1: 0.91, 2: 0.892, 3: 0.901}
    told = lead("test accuracy", {"A": a, "B": b}, ENGLISH)
    assert "that of B, 0.9008" in told
    assert "4 seeds" in told
    assert "Ahead of A" in told


def test_variants_without_a_shared_seed_are_not_compared() -> None:
    told = lead("loss", {"A": {1: 0.1, 2: 0.2}, "B": {3: 0.3, 4: 0.4}}, ENGLISH, up=False)
    assert "noise" not in told


def test_a_claim_holds_fails_or_stays_open() -> None:
    low = {seed: seed / 100 for seed in range(6)}
    high = {seed: value + 1 + seed / 1000 for seed, value in low.items()}
    verdicts = [c.verdict for c in judge([Expectation("", *sides) for sides in ((high, low), (low, high), (low, low))],
                                         ENGLISH)]  # fmt: skip
    assert verdicts == [Verdict.HOLDS, Verdict.FAILS, Verdict.OPEN]
    [alone] = judge([Expectation("", {1: 1.0}, {1: 0.0})], ENGLISH)
    assert alone.verdict is Verdict.OPEN


def test_a_factor_of_almost_one_has_no_verdict() -> None:
    noise = np.random.default_rng(0).normal(0, 1e-5, 32)
    for factor, verdict in ((1.0001, Verdict.OPEN), (1.05, Verdict.HOLDS)):
        above = {i: factor * math.exp(e) for i, e in enumerate(noise)}
        [claim] = judge([Expectation("", above, dict.fromkeys(above, 1.0), ratio=True)], ENGLISH)
        assert claim.verdict is verdict


def test_failed_deep_nets_do_not_pass_as_an_effect_of_width() -> None:
    noise, runs = np.random.default_rng(0), []
    for seed in range(10):
        for width in (8, 128):
            for depth in (1, 3):
                ended = not (width == 128 and depth == 3 and seed < 8)
                value = (0.95 if depth == 1 else 0.85) + 0.003 * noise.normal()
                runs.append(
                    RunRow(f"{seed}{width}{depth}", Path("/x"), "completed" if ended else "failed",
                        settings={"model.width": width, "model.depth": depth}, seeds={"seed": seed},
                        variant=f"{width},{depth}", metrics={"val/acc": value} if ended else {})
                )  # fmt: skip
    results = Results(summarise(SweepRuns(Path("/x"), runs, {"compare": False}, [])), ENGLISH)
    wide, narrow = (results.at("val/acc", **{"model.width": width}) for width in (128, 8))
    assert (len(wide), len(narrow)) == (2, 10)
    [claim] = results.judge(Expectation("Wider nets validate better", wide, narrow))
    assert claim.verdict is Verdict.OPEN


def page(quantities: list[Group]) -> tuple[list[str], list[Verdict], int]:
    """Sentences and verdicts of a page that leads with each quantity and claims something of each."""
    family = Family()
    for _ in range(2):
        led = [lead("q", groups, ENGLISH, family=family) for groups in quantities]
        claims = judge([Expectation("", g["a"], g["b"]) for g in quantities], ENGLISH, family)
    return led, [c.verdict for c in claims], len(family)


def test_a_page_of_several_quantities_says_something_false_in_five_of_a_hundred() -> None:
    noise, calls, pages = np.random.default_rng(4), 0, 400
    for _ in range(pages):
        drawn = [{v: dict(enumerate(noise.normal(size=10))) for v in "ab"} for _ in range(4)]
        led, verdicts, size = page(drawn)
        assert size == 4
        told = [", more than noise" in sentence for sentence in led]
        assert told == [v is not Verdict.OPEN for v in verdicts]
        calls += any(told)
    # 5 % in expectation; the bound is 4 standard deviations above it.
    assert calls / pages < 0.05 + 4 * math.sqrt(0.05 * 0.95 / pages)


def test_an_interval_without_0_beside_an_open_claim_says_why() -> None:
    noise = np.random.default_rng(0)
    family, low = Family(), dict(enumerate(noise.normal(size=6)))
    high = {s: v + 1.0 + 0.9 * noise.normal() for s, v in low.items()}
    others = [Expectation("", low, dict(enumerate(noise.normal(size=6)))) for _ in range(20)]
    [claim, *_] = judge([Expectation("", high, low), *others], ENGLISH, family)
    assert claim.verdict is Verdict.OPEN
    assert "no difference shown among 21 comparisons" in claim.evidence


def test_a_variant_that_lost_most_runs_does_not_narrow_the_means_of_the_others() -> None:
    noise = np.random.default_rng(0).normal(size=(3, 10)).tolist()
    up = Quantity("acc")
    groups = {name: Values(enumerate(row), (), up) for name, row in zip("abc", noise, strict=True)}
    groups["c"] = Values({0: 9.0}, range(1, 10), up)
    told = lead("accuracy", groups, ENGLISH)
    assert "10 seeds" in told
    assert "Runs that failed, and are not in these means: c 9 of 10." in told
    assert "that of c" not in told


def test_failed_runs_are_told_before_anything_else() -> None:
    rising = Quantity("acc")
    whole, broken = Values({s: 0.9 + s / 1e3 for s in range(8)}, (), rising), Values({0: 0.95}, range(1, 8), rising)
    [claim] = judge([Expectation("", broken, whole)], ENGLISH)
    assert claim.verdict is Verdict.FAILS
    assert claim.evidence.startswith("failed: 7 and 0; ")
    told = lead("accuracy", {"broken": broken, "whole": whole}, ENGLISH)
    assert "Runs that failed, and are not in these means: broken 7 of 8." in told
    assert "that of broken" in told
    assert "With failed runs ranked worst it is behind whole, by more than noise" in told
    assert "Ahead of" not in told
