from __future__ import annotations

import itertools
import random

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from probeta.errors import ConfigError
from probeta.runs.identity import NUMBER, Seeds, config_sha256, identity, label_settings, parse_cached
from probeta.sweeps.naming import job_name, quote_override, sweep_name


def test_a_job_has_one_name_however_its_overrides_are_ordered_and_written() -> None:
    lines = ["optimizer.lr=0.1", "model=mlp", "seed=1", "data.noise=0.25"]
    names = {job_name(order) for order in itertools.permutations(lines)}
    assert len(names) == 1
    assert job_name(["optimizer.lr=1e-1"]) == job_name(["optimizer.lr=0.1"]) == job_name(["optimizer.lr=0.10"])
    assert job_name(["data.source='en'"]) == job_name(["data.source=en"]) == job_name(['data.source="en"'])
    assert job_name(["x=[1, 2]"]) == job_name(["x=[1,2]"])


def test_different_jobs_have_different_names() -> None:
    values = ["1", "2", "1.5", "true", "null", "'1'", "[1]", "{a:1}", "one"]
    assert len({job_name([f"x={v}"]) for v in values}) == len(values)
    assert job_name(["x=1", "y=2"]) != job_name(["x=2", "y=1"])
    assert job_name(["~model"]) != job_name(["model=null"])
    long = [f"some.key_{i}={'v' * 40}" for i in range(9)]
    assert job_name([*long, "z=1"]) != job_name([*long, "z=2"])


def test_switches_are_no_part_of_a_name() -> None:
    switches = ["rerun=true", "retries=3", "fail_fast=true", "output_dir=/x", "hydra/launcher=joblib", "logger=none"]
    assert job_name(["seed=1", *switches, "study=widths", "name=n"]) == job_name(["seed=1"])


def test_the_last_of_two_overrides_counts() -> None:
    assert identity(["seed=1", "seed=2"]) == {"seed": 2}


@given(st.text(max_size=300))
def test_any_value_gives_a_name_that_file_systems_take(value: str) -> None:
    override = quote_override("data.root", value)
    try:
        OverridesParser.create().parse_override(override)
    except Exception:
        return  # Hydra's grammar has no way to write it (a line break, say)
    name = job_name([override])
    assert len(name.encode()) <= 120
    assert "/" not in name
    assert name not in (".", "..")
    assert not name.startswith((".", "-"))


@given(st.text(alphabet="ab'\"\\,={}[]()$ :/-", max_size=20))
def test_quoting_keeps_every_character(text: str) -> None:
    assert OverridesParser.create().parse_override(quote_override("hydra.sweep.dir", text)).value() == text


def test_names_are_readable() -> None:
    name = job_name(["experiment=moons_mlp", "optimizer.lr=1e-1", "seed=1"])
    assert name.startswith("moons_mlp,lr=0.1,seed=1-")
    assert label_settings({"optimizer.lr": 0.1, "model": "mlp"}) == "mlp, lr=0.1"


def test_a_sweep_is_found_again_with_one_more_value_and_in_any_order() -> None:
    fixed = ["experiment=moons_mlp", "trainer.max_epochs=3"]
    name = sweep_name("train", fixed, ["seed", "optimizer.lr"])
    shuffled = random.Random(0).sample(fixed, 2)
    assert sweep_name("train", shuffled, ["optimizer.lr", "seed"]) == name
    assert sweep_name("train", fixed, ["seed"]) != name
    assert sweep_name("train", [*fixed, "rerun=true"], ["seed", "optimizer.lr"]) == name
    assert sweep_name("train", fixed[:1], ["seed", "optimizer.lr"]) != name
    assert sweep_name("probe", fixed, ["seed", "optimizer.lr"]) != name
    assert sweep_name("train", fixed, ["seed"], study="widths") == "widths"
    assert sweep_name("train", fixed, ["seed"], study="widths", name="mine") == "mine"


@pytest.mark.parametrize("name", ["a/b", "", "..", "train", "bench", "x" * 101, " a"])
def test_a_name_that_is_no_folder_or_another_command_s_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="name="):
        sweep_name("train", [], [], name=name)


def test_seeds_that_follow_are_no_part_of_what_a_run_is() -> None:
    before = {"seed": 1, "model": {"width": 4}}
    follow = {**before, "seeds": {"init": None, "order": None, "noise": None}}
    assert config_sha256(follow) == config_sha256(before) == config_sha256({**before, "seeds": None})
    hashes = {config_sha256({**before, "seeds": {**follow["seeds"], name: 2}}) for name in Seeds._fields}
    assert len(hashes | {config_sha256(before)}) == 4


def test_each_seed_follows_the_run_s_unless_it_is_set() -> None:
    assert Seeds.of({"seed": 5}) == (5, 5, 5)
    assert Seeds.of({"seed": 5, "seeds": {"init": None, "order": 0, "noise": 7}}) == (5, 0, 7)


@given(st.from_regex(NUMBER, fullmatch=True))
def test_a_whole_number_is_parsed_as_hydra_parses_it(line: str) -> None:
    assert parse_cached(line) == OverridesParser.create().parse_override(line)


@pytest.mark.parametrize(
    "line", ["a=01", "a=1_0", "a=+1", "a=-", "+a=1", "a.=1", "a/b=1", "a=1 ", "a=1\n", "a=٣", "1a=1"]
)
def test_what_is_no_plain_whole_number_is_left_to_hydra(line: str) -> None:
    assert NUMBER.fullmatch(line) is None
