"""The schemas accept every file that ships, and what a user writes beside them; they refuse mistakes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from omegaconf import OmegaConf

from docs.options import CONF
from docs.schema import make_schemas, name_schema

FILES = sorted(CONF.rglob("*.yaml"))


@cache
def schemas() -> dict[str, Any]:
    return make_schemas()


def find_mistakes(name: str, tree: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schemas()[name]).iter_errors(tree)]


def test_the_schemas_are_schemas() -> None:
    for schema in schemas().values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(CONF).as_posix())
def test_a_shipped_file_names_its_schema_and_is_valid(file: Path) -> None:
    place = f"{'../' * len(file.relative_to(CONF).parts)}docs/schema/{name_schema(file)}.json"
    assert f"# yaml-language-server: $schema={place}" in file.read_text().splitlines()
    assert find_mistakes(name_schema(file), OmegaConf.to_container(OmegaConf.load(file))) == []


@pytest.mark.parametrize(
    ("name", "tree"),
    [
        ("config", {"modle": {"width": 3}}),
        ("config", {"seed": "many"}),
        ("config", {"seeds": {"inti": 3}}),
        ("config", {"recipe": {"epochs": 3}}),
        ("config", {"optimizer": {"lrr": 0.1}}),
        ("config", {"optimizer": {"lr": "fast"}}),
        ("config", {"model": {"width": 1.5}}),
        ("config", {"model": {"encoder": {"dropuot": 0.1}}}),
        ("config", {"data": {"_target_": "probeta.data.moons.MoonsData", "split": "iid"}}),
        ("config", {"callbacks": {"early_stopping": {"patients": 3}}}),
        ("config", {"callbacks": {"mine": {"patience": 3}}}),
        ("config", {"study": {"name": "x", "seed": 1}}),
        ("config", {"study": {"metrics": {"test/acc": 1}}}),
        ("config", {"checkpoints": "some"}),
        ("optimizer", {"_target_": "torch.optim.Adam", "momentum": 0.9}),
        ("optimizer", {"optimizer": {"lr": 0.1}}),
        ("scheduler", {"_target_": "probeta.models.schedules.Cosine", "_partial_": True, "interval": "year"}),
        ("trainer", {"max_epoch": 3}),
        ("logging", {"handler": {}}),
    ],
)
def test_a_mistake_is_refused(name: str, tree: Any) -> None:
    assert find_mistakes(name, tree)


@pytest.mark.parametrize(
    ("name", "tree"),
    [
        ("config", {"model": {"_target_": "mine.Net", "width": "any"}, "optimizer": {"lr": "${recipe.lr}"}}),
        ("config", {"callbacks": {"mine": {"_target_": "mine.Callback"}, "early_stopping": None}}),
        ("config", {"defaults": ["moons_mlp", {"override /optimizer": "adam"}], "optimizer": {"lr": 1}}),
        ("optimizer", {"_target_": "mine.Optimizer", "_partial_": True, "momentum": 0.9}),
    ],
)
def test_what_a_user_may_write_is_accepted(name: str, tree: Any) -> None:
    assert find_mistakes(name, tree) == []
