"""What is accepted of a key, in the words in which a wrong value is refused: each key is given one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

from probeta.commands import probe, train
from probeta.commands.plugins import register_plugins
from probeta.composition.app import register_resolvers
from probeta.config.keys import Key
from probeta.config.switches import check_switches
from probeta.errors import UserError
from probeta.sweeps.study import Study

BESIDE = {
    "attention": ["model=seq2seq_attn"],
    **{group: ["data=moons"] for group in ("optimizer", "scheduler", "callbacks", "trainer", "logger")},
    "data=parallel_text": ["data.root=.", "data.source=en", "data.target=de"],
    "model=logistic": ["data=separable"],
    "model=mlp": ["data=moons"],
    "model=perceptron": ["data=separable"],
    "model=tiny_rnn": ["data=random_sequences"],
}
"""What an option needs beside it."""


def check_train(config: DictConfig) -> None:
    check_switches(config)
    train.check(config)


CHECKS: dict[str, Callable[[DictConfig], Any]] = {
    "probe": probe.check,
    "study": lambda config: Study.read(config.study),
}


def find_accepted(option: str, keys: list[Key]) -> dict[str, str]:
    """Key → what is accepted of it, for those of `keys` of which not everything is; `option` is `model=mlp`."""
    group = option.partition("=")[0]
    register_resolvers()
    register_plugins()
    with initialize_config_module("probeta.conf", version_base="1.3"):
        beside = BESIDE.get(option, BESIDE.get(group, []))
        config = compose("probe" if group == "probe" else "train", [line for line in (*beside, option) if line])
    check = CHECKS.get(group, check_train)
    judged = [key for key in keys if not key.path.endswith((".monitor", ".tracking_uri"))]  # an address is asked
    said = {key.path: next(refusals(config, key, check), "") for key in judged}
    return {path: text for path, text in said.items() if text}


def refusals(config: DictConfig, key: Key, check: Callable[[DictConfig], Any]) -> Iterator[str]:
    for wrong in wrong_values(key.hint):
        if (error := find_error(config, key.path, wrong, check)) is None:
            continue
        name = re.escape(key.path.rpartition(".")[2])
        said = re.match(rf"\S*{name}\S*=.*? is not accepted: (.*)", error) or re.search(r"'\?'.*?accepted: (.*)", error)
        if said:
            one = "a list of " if isinstance(wrong, list) and "list" not in said[1] else ""
            nullable = " or null" if type(None) in get_args(key.hint) and "null" not in said[1] else ""
            yield one + re.sub("this machine: .*", "this machine", said[1]) + nullable
        elif isinstance(wrong, float) and "Invalid" in error:  # torch names the value alone
            yield "a number from 0" if find_error(config, key.path, 0.0, check) is None else "a number above 0"


def find_error(config: DictConfig, path: str, value: Any, check: Callable[[DictConfig], Any]) -> str | None:
    changed = config.copy()
    OmegaConf.update(changed, path, value, force_add=True)
    try:
        check(changed)
    except UserError as error:
        return str(error)
    except Exception:
        return ""
    return None


def wrong_values(hint: Any) -> Iterator[Any]:
    """Values of the type `hint` that hardly any key accepts, and every one of those that it lists."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        yield from (wrong for kind in arguments for wrong in wrong_values(kind))
    elif origin is Literal:
        yield from arguments
    elif isinstance(origin, type) and issubclass(origin, Sequence):
        yield from ([wrong] for wrong in wrong_values(arguments[0]))
    elif hint in (int, float, str):
        yield {int: -7, float: -7.5, str: "?"}[hint]
