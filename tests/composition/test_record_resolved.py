"""What a run records depends on nothing that a reader's environment says."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from probeta.composition.job import record_resolved
from probeta.errors import ConfigError


def test_resolvers_are_recorded_as_what_they_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "there")
    tree = {"a": {"root": "${oc.env:PLACE}/x", "n": "${b}"}, "b": 2, "c": [{"d": "${oc.env:NOT_SET,7}"}], "hydra": 1}
    tree["c"].append({"e": "${oc.${f}:PLACE}"})  # type: ignore[attr-defined]
    tree["f"] = "env"
    config = OmegaConf.create({**tree, "hydra": {"dir": "${now:%Y}"}})
    OmegaConf.set_readonly(config, True)
    record_resolved(config)
    assert OmegaConf.to_container(config, resolve=False) == {
        "a": {"root": "there/x", "n": "${b}"}, "b": 2, "c": [{"d": "7"}, {"e": "there"}], "f": "env",
        "hydra": {"dir": "${now:%Y}"},
    }  # fmt: skip


@pytest.mark.parametrize("text", [r"\${a:b}", r"x \${oc.env:HOME}", "${oc.env:PLACE}"])
def test_text_that_would_be_an_interpolation_is_not_recorded(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "${oc.env:HOME}")
    with pytest.raises(ConfigError, match=r"data\.root=.* is not accepted: text without"):
        record_resolved(OmegaConf.create({"data": {"root": text}}))
