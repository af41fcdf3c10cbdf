"""The keys that say how a run or a sweep is carried out, and what a recipe's values reach."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from probeta.config.signatures import describe, fits
from probeta.errors import ConfigError, check_whole_or_null


def check_switches(config: DictConfig) -> None:
    """The keys that say how a run or a sweep is carried out, before it is."""
    for key in ("rerun", "fail_fast"):
        if (value := config.get(key)) is not None and not fits(value, bool):
            raise ConfigError.value(key, value, describe(bool))
    check_whole_or_null("retries", config.get("retries"), 0)
    if (lang := config.get("lang") or "en") != "en":
        from probeta.report.language import Language

        Language(str(lang))


def check_recipe(config: DictConfig, overrides: Sequence[str]) -> None:
    """A recipe's value that `overrides` give must reach something: a Transformer has a width of its own."""
    given = [override for override in overrides if override.lstrip("+").startswith("recipe.")]
    text = OmegaConf.to_yaml(config) if given else ""
    for override in given:
        key = override.lstrip("+").split("=")[0]
        if f"${{{key}}}" not in text:
            raise ConfigError(f"{override} is not used: nothing in this configuration refers to {key}")
