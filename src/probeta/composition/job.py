"""One job as Hydra carries it out: its part of the configuration, its `.hydra/` folder, its callbacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log, env_override
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf._utils import OmegaConfDumper

from probeta.errors import ConfigError
from probeta.runs.atomic import write_atomic
from probeta.runs.directory import calls_resolver

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""Hydra's default: it composes each job anew, and carries it out in its own process."""


@dataclass(frozen=True)
class Command:
    """What a command does with each configuration that its line composes to. Launchers send it to their workers."""

    name: str
    """The primary configuration: `train`, `probe`."""
    task: Callable[[DictConfig], Any]
    """Carries out one job in the directory that Hydra's runtime names."""
    check: Callable[[DictConfig], Collection[str] | None]
    """Raises `UserError` for a configuration that cannot run, before anything is read or written; else says which
    metrics its run will report, where that is known."""
    line: tuple[str, ...] = ()
    """What was typed after the command's name."""
    prints_report: bool = True
    """Whether a sweep ends with its summary on the terminal: an object shows it by itself."""

    def __call__(self, config: DictConfig) -> Any:
        return self.task(config)


def record_resolved(config: DictConfig) -> DictConfig:
    """`config` with what its resolvers say here and now in their place: what a run records depends on nothing else.

    `ConfigError` where that is text with `${` in it, as of an escaped one.
    """
    calls = list(resolver_calls(config))
    with read_write(config):
        for path, _ in calls:
            value = OmegaConf.select(config, path)
            if isinstance(value, str) and "${" in value:
                # Recorded, it would be an interpolation, which those who read the record look up.
                raise ConfigError.value(path, value, "text without ${, whatever it is resolved from")
            OmegaConf.update(config, path, value)
    return config


def resolver_calls(config: DictConfig) -> Iterator[tuple[str, str]]:
    """(path, text) of each value, those of `hydra` aside, that calls a resolver."""
    tree = OmegaConf.to_container(config, resolve=False)
    assert isinstance(tree, dict)
    return _calls({key: value for key, value in tree.items() if key != "hydra"}, "")


def _calls(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _calls(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from _calls(value, f"{path}[{i}]")
    elif isinstance(tree, str) and calls_resolver(tree):
        yield path, tree


def drop_hydra(config: DictConfig) -> DictConfig:
    """What the task function gets: the configuration without Hydra's own node."""
    tree = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(tree, True)
    return tree


def run_composed(context: HydraContext, task: TaskFunction, config: DictConfig, own: DictConfig) -> JobReturn:
    """Hydra's `run_job` for a job whose whole configuration `config` and whose part `own` for the task exist
    already: the same files and callbacks, without copying either three times."""
    singleton = HydraConfig.instance()
    before, folder = singleton.cfg, os.getcwd()
    path = Path(config.hydra.runtime.output_dir)
    singleton.set_config(config)
    hydra = cast(DictConfig, singleton.cfg)
    answer = JobReturn(overrides=list(config.hydra.overrides.task), cfg=own, hydra_cfg=hydra, working_dir=folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if config.hydra.job.chdir:
            os.chdir(path)
            answer.working_dir = str(path)
        configure_log(config.hydra.job_logging, config.hydra.verbose)
        if (kept := config.hydra.output_subdir) is not None:
            for name, node in (("config", own), ("overrides", config.hydra.overrides.task)):
                write_atomic(path / kept / f"{name}.yaml", OmegaConf.to_yaml(node), sync=False)
            # Hydra's own settings are for people to read: libyaml writes them ten times as fast.
            tree = OmegaConf.to_container(hydra, enum_to_str=True)
            text = yaml.dump(tree, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
            write_atomic(path / kept / "hydra.yaml", text, sync=False)
        with env_override(dict(config.hydra.job.env_set)):
            context.callbacks.on_job_start(config=config, task_function=task)
            try:
                answer.return_value = task(own)
                answer.status = JobStatus.COMPLETED
            except Exception as error:
                answer.return_value = error
                answer.status = JobStatus.FAILED
        answer.task_name = JobRuntime.instance().get("name")
        context.callbacks.on_job_end(config=config, job_return=answer)
        return answer
    finally:
        singleton.cfg = before
        os.chdir(folder)


def get_outcome(answer: JobReturn) -> Any:
    """What a job returned, or the exception that it raised: Hydra's own accessor prints a line before it raises."""
    return answer._return_value


class Dumper(getattr(yaml, "CDumper", yaml.Dumper)):  # type: ignore[misc]
    """OmegaConf's YAML at the speed of libyaml, where that is there: a sweep writes thousands of these files."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


Dumper.add_representer(str, OmegaConfDumper.str_representer)


def to_yaml(container: Any) -> str:
    """What `OmegaConf.to_yaml` writes, from a plain container."""
    text: str = yaml.dump(container, default_flow_style=False, allow_unicode=True, sort_keys=False, Dumper=Dumper)
    return text


def to_unresolved(config: DictConfig) -> dict[str, Any]:
    container = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def write_hydra(path: Path, config: Mapping[str, Any], hydra: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """`.hydra/`, as Hydra writes it when a job starts."""
    folder = path / ".hydra"
    write_atomic(folder / "config.yaml", to_yaml(dict(config)), sync=False)
    write_atomic(folder / "hydra.yaml", to_yaml({"hydra": hydra}), sync=False)
    write_atomic(folder / "overrides.yaml", to_yaml(list(overrides)), sync=False)
