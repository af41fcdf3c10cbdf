"""Derived configurations are the composed ones, whatever the overrides and whatever refers to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hydra.types import RunMode
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from probeta.composition.composer import Composer
from probeta.composition.job import drop_hydra
from probeta.errors import ConfigError

FILES = {
    "config": """
defaults: [_self_, model: plain, decoder: greedy]
seed: 1
steps: 2
twice: ${steps}
thrice: ${twice}
list: [1, '${seed}', {a: '${thrice}'}]
nothing: null
folder: {root: '${seed}', deep: {x: 1}}
""",
    "model/plain": "{width: 4, rate: 0.1}",
    "model/referring": "{width: '${steps}', decoder: '${decoder}', again: '${model.decoder}', rate: 0.5}",
    "model/text": "{width: 4, name: 'w-${seed}'}",
    "model/calling": "{width: 4, doubled: '${test.double:${seed}}'}",
    "model/upwards": "{width: 4, mine: '${.width}', rate: 1.5}",
    "decoder/greedy": "{scale: 1.0, beam: '${steps}', inner: {size: 3}}",
    "decoder/beam": "{scale: 2, beam: 5, inner: '${list}'}",
}


@dataclass
class Typed:
    width: int = 4
    rate: float = 0.5


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hydra, DictConfig]]:
    """The program, and the configuration of a multirun."""
    folder = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    state = Singleton.get_state()
    version.setbase("1.3")
    GlobalHydra.instance().clear()
    ConfigStore.instance().store(group="model", name="typed", node=Typed)
    OmegaConf.register_new_resolver("test.double", lambda value: 2 * value, replace=True)
    hydra = Hydra.create_main_hydra2("program", create_config_search_path(str(folder)))
    lines = ["hydra.mode=MULTIRUN"]
    yield hydra, hydra.compose_config("config", lines, RunMode.MULTIRUN, with_log_configuration=False)
    GlobalHydra.instance().clear()
    OmegaConf.clear_resolver("test.double")
    Singleton.set_state(state)


def outcome(compose: Callable[[list[str]], Any], lines: list[str]) -> str | type[Exception]:
    """The resolved configuration with the types of its values, or the type of what was raised."""
    try:
        found = compose(lines)
        tree = OmegaConf.to_container(found, resolve=True) if isinstance(found, DictConfig) else found
    except Exception as error:
        return ValueError if isinstance(error, ConfigError) else type(error)  # what Hydra refuses, in our words
    return repr(tree)


VALUES = ["0", "7", "-3", "0.25", "1e-3", "nan", "true", "word", "'2'", "' a b'", "null", "[1,2]", "{scale: 3}", ""]
VALUES += ["${seed}", "x${steps}", "???", r"'a\'b'", "${model.width}", "'${test.double:${steps}}'", "1,2"]
KEYS = ["seed", "steps", "twice", "thrice", "model.width", "model.rate", "model.decoder", "decoder.scale", "decoder"]
KEYS += ["decoder.inner.size", "decoder.inner", "folder.root", "folder.deep", "list", "list.0", "nothing", "absent"]
CHOICES = [f"model={name.partition('/')[2]}" for name in FILES if name.startswith("model")] + ["model=typed"]
CHOICES += ["decoder=beam", "~decoder", "~model.rate", "~seed=7", "+new.key=1", "hydra.job.chdir=false"]


@st.composite
def two_jobs(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Jobs that choose the same, and set the same keys to values of their own."""
    prefixes = st.sampled_from(["", "", "", "+", "++"])
    shape = draw(st.lists(st.sampled_from(CHOICES) | st.tuples(prefixes, st.sampled_from(KEYS)), max_size=4))

    def lines() -> list[str]:
        return [s if isinstance(s, str) else f"{''.join(s)}={draw(st.sampled_from(VALUES))}" for s in shape]

    return lines(), lines()


@settings(max_examples=15, deadline=None)
@given(jobs=two_jobs())
@example((["seed=1"], ["seed=2"]))
@example((["model=referring", "decoder.scale=1", "steps=5"], ["model=referring", "decoder.scale=x", "steps=6"]))
@example((["model=calling", "seed=5"], ["model=calling", "seed=6"]))
@example((["model=text", "seed=5"], ["model=text", "seed=6"]))
@example((["model=upwards", "model.width=5"], ["model=upwards", "model.width=6"]))
@example((["model=typed", "model.rate=5"], ["model=typed", "model.rate=6"]))
@example((["model=typed", "model.width=5"], ["model=typed", "model.width=wide"]))
@example((["+new.a=1", "steps=1"], ["+new.a=2", "steps=2"]))
@example((["twice=9"], ["twice=8"]))
@example((["decoder=beam", "steps=9", "seed=3"], ["decoder=beam", "steps=8", "seed=4"]))
@example((["steps=1", "steps=2"], ["steps=3", "steps=4"]))
def test_a_derived_configuration_is_the_one_that_hydra_composes(
    opened: tuple[Hydra, DictConfig], jobs: tuple[list[str], list[str]]
) -> None:
    hydra, master = opened
    composer = Composer(hydra.config_loader, master)
    outcome(composer.resolve, jobs[0])
    expected = outcome(lambda lines: drop_hydra(hydra.config_loader.load_sweep_config(master, lines)), jobs[1])
    assert outcome(composer.resolve, jobs[1]) == expected
    assert outcome(composer.task, jobs[1]) == expected


@pytest.mark.parametrize(
    "lines",
    [["seed={}"], ["model.width={}", "steps=3"], ["+new={}"], ["decoder=beam", "seed={}"],
     ["model=referring", "decoder.inner.size={}"]],
    ids=" ".join,
)  # fmt: skip
def test_jobs_that_differ_in_values_are_composed_once(
    opened: tuple[Hydra, DictConfig], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    composer = Composer(opened[0].config_loader, opened[1])
    composed: list[object] = []
    original = composer.task
    monkeypatch.setattr(composer, "task", lambda overrides: composed.append(overrides) or original(overrides))
    found = [composer.resolve([line.format(value) for line in lines]) for value in (1, 2.5, "x", True)]
    assert len(composed) == 1
    assert len({repr(tree) for tree in found}) == len(found)
    found[0]["list"].append("changed")
    assert "changed" not in composer.resolve([line.format(1) for line in lines])["list"]
