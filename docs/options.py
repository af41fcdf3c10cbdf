"""Every option of every group as its file says it, with what is told of each of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from probeta.commands.keys import describe_tree
from probeta.commands.list import first_comment
from probeta.config.keys import Key, summarize
from probeta.config.trust import resolve

CONF = Path(str(files("probeta.conf")))
GROUPS = ("data", "model", "attention", "decoding", "optimizer", "scheduler", "callbacks", "trainer", "logger", "probe")


@dataclass(frozen=True)
class Option:
    """The file of an option."""

    file: Path

    @property
    def group(self) -> str:
        return self.file.parent.relative_to(CONF).as_posix()

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def text(self) -> str:
        return self.file.read_text("utf-8")

    @property
    def is_global(self) -> bool:
        """Whether its keys are those of the whole configuration, not of its group."""
        return "@package _global_" in self.text or self.file.parent == CONF

    @property
    def comment(self) -> str:
        return first_comment(self.file)

    @property
    def summary(self) -> str:
        """What the class that the option builds says of itself."""
        target = (self.tree.get(self.group) or {}).get("_target_")
        return summarize(resolve(target, self.group)) if target else ""

    @cached_property
    def tree(self) -> dict[str, Any]:
        """What the file sets, at its place in the configuration; nothing resolved."""
        content: Any = OmegaConf.to_container(OmegaConf.load(self.file))
        kept = {key: value for key, value in content.items() if key not in ("defaults", "hydra")}
        return kept if self.is_global else {self.group: kept}

    @cached_property
    def keys(self) -> list[Key]:
        return describe_tree(self.tree, "probe" if self.group == "probe" else "train")


def list_options(group: str) -> Iterator[Option]:
    return map(Option, sorted((CONF / group).glob("*.yaml")))
