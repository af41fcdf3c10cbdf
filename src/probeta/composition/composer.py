"""Every job's configuration, composed once.

Hydra composes each job of a multirun twice from its files, at about 0.1 s each. Jobs that choose the
same groups share everything but their value overrides: `Composer` composes a set of choices once and
applies the values to copies, through Hydra's own machinery, so that the results are Hydra's. What only
names a job (its hash, its values) is derived from a `Template`, without Hydra.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from typing import Any, NamedTuple

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from probeta.composition.job import record_resolved, resolver_calls
from probeta.composition.template import Template, sets_value
from probeta.errors import ConfigError
from probeta.runs.directory import calls_resolver
from probeta.runs.identity import parse


class Base(NamedTuple):
    """What a set of choices composes to. Pickled: a copy by `loads` costs a sixth of `deepcopy`."""

    whole: bytes
    task: bytes
    """Without the `hydra` node."""
    calls: bool
    """Whether it has resolvers left to call, since what they say may depend on values."""


def check_choices(loader: ConfigLoader, overrides: Sequence[Override]) -> None:
    """`ConfigError` where a group is given what can name none of its options: null, a number."""
    for override in overrides:
        if override.is_delete() or override.is_sweep_override() or isinstance(override.value(), str | list | dict):
            continue
        if options := loader.get_group_options(override.key_or_group):
            raise ConfigError(f"{override.input_line} is not accepted: one of {', '.join(options)}")


class Composer:
    """Composes the jobs of one sweep: `Composer(loader, master)(overrides)` is what Hydra's
    `load_sweep_config(master, overrides)` returns."""

    def __init__(self, loader: ConfigLoaderImpl, master: DictConfig) -> None:
        self.loader = loader
        self.master = master
        self.name: str | None = master.hydra.job.config_name
        held = OmegaConf.to_container(master.hydra.overrides.hydra)
        assert isinstance(held, list)
        self.held: list[str] = [str(line) for line in held]
        self._bases: dict[tuple[str, ...], Base] = {}
        self._templates: dict[tuple[Any, ...], Template | None] = {}
        self._groups: dict[str, bool] = {}
        _, self._repository = loader._parse_overrides_and_create_caching_repo(self.name, self.held)

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """The whole configuration of one job, `hydra` node included.

        Raises what Hydra's composition raises.
        """
        base = self._base(overrides)
        config: DictConfig = pickle.loads(base.whole)
        return self._finish(config, overrides, base)

    def task(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration that the job function gets: without the `hydra` node, and cheaper."""
        base = self._base(overrides)
        config: DictConfig = pickle.loads(base.task)
        ConfigLoaderImpl._apply_overrides_to_config(self._values(overrides), config)
        return self._record(config, overrides, base)

    def resolve(self, overrides: Sequence[str]) -> dict[str, Any]:
        """`task(overrides)` as plain containers, every interpolation resolved, and much cheaper for jobs that set the
        same keys as one before.

        Raises what composing and resolving raise.
        """
        values = self._values(overrides)
        free = {o.input_line: (o.type, o.key_or_group) for o in values if sets_value(o)}
        kind = tuple(free.get(line, line) for line in overrides)
        if (template := self._templates.get(kind)) is not None:
            return template.derive(values)
        config = self.task(overrides)
        if kind not in self._templates:
            followed = not self._base(overrides).calls and not any(map(calls_resolver, overrides))
            self._templates[kind] = Template.of(config, values) if followed else None
        tree = OmegaConf.to_container(config, resolve=True)
        assert isinstance(tree, dict)
        return {str(key): value for key, value in tree.items()}

    def _values(self, overrides: Sequence[str]) -> list[Override]:
        """The overrides that set values of the task's part."""
        return [o for o in parse(overrides) if self._is_value(o) and not o.is_hydra_override()]

    def _is_value(self, override: Override) -> bool:
        # Hydra's own rule (hydra._internal.defaults_list.Overrides): all else decides which files count.
        key = override.key_or_group
        if key not in self._groups:
            self._groups[key] = self._repository.group_exists(key)
        return (isinstance(override.value(), dict) or not self._groups[key]) and key != "hydra.searchpath"

    def _record(self, config: DictConfig, overrides: Sequence[str], base: Base) -> DictConfig:
        if not base.calls and not any("${" in line for line in overrides):
            return config
        OmegaConf.copy_cache(from_config=self.master, to_config=config)
        return record_resolved(config)

    def _base(self, overrides: Sequence[str]) -> Base:
        parsed = parse(self.held + list(overrides))
        ConfigLoaderImpl.validate_sweep_overrides_legal(parsed, run_mode=RunMode.RUN, from_shell=True)
        choices = tuple(str(o.input_line) for o in parsed if not self._is_value(o))
        if choices not in self._bases:
            check_choices(self.loader, parse(choices))
            config = self.loader.load_configuration(
                config_name=self.name, overrides=list(choices), run_mode=RunMode.RUN
            )
            calls = any(text.count("${") > 1 for _, text in resolver_calls(config))
            whole = pickle.dumps(config if calls else record_resolved(config))
            with read_write(config), open_dict(config):
                del config["hydra"]
            self._bases[choices] = Base(whole, pickle.dumps(config), calls)
        return self._bases[choices]

    def _finish(self, config: DictConfig, overrides: Sequence[str], base: Base) -> DictConfig:
        """What follows the files in Hydra's `load_configuration` and `load_sweep_config`."""
        parsed = parse(self.held + list(overrides))
        values = [o for o in parsed if self._is_value(o)]
        if any(o.package is not None for o in values):
            raise ConfigCompositionException(f"no config group takes {', '.join(str(o.input_line) for o in values)}")
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        task = [o for o in parsed if not o.is_hydra_override()]
        job = config.hydra.job
        with open_dict(config.hydra):
            for key in job.env_copy:
                job.env_set[key] = os.environ[key]
        config.hydra.overrides.hydra = [o.input_line for o in parsed if o.is_hydra_override()]
        config.hydra.overrides.task = [o.input_line for o in task]
        # From Hydra 1.4 on it is an interpolation, of what was just set.
        if not OmegaConf.is_interpolation(job, "override_dirname"):
            style = job.config.override_dirname
            lines = sorted(str(o.input_line) for o in task if o.key_or_group not in style.exclude_keys)
            job.override_dirname = style.item_sep.join(lines).replace("=", style.kv_sep)
        OmegaConf.copy_cache(from_config=self.master, to_config=config)
        return self._record(config, overrides, base)
