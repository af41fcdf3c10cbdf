"""Every job's configuration, composed once.

Hydra composes each job of a multirun twice from its files, at about 0.1 s each. Jobs that choose the
same groups share everything but their value overrides: `Composer` composes a set of choices once and
applies the values to copies, through Hydra's own machinery, so that the results are Hydra's.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from typing import NamedTuple

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from probeta.composition.job import record_resolved
from probeta.runs.identity import parse


class Base(NamedTuple):
    """What a set of choices composes to. Pickled: a copy by `loads` costs a sixth of `deepcopy`."""

    whole: bytes
    task: bytes
    """Without the `hydra` node."""


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
        _, self._repository = loader._parse_overrides_and_create_caching_repo(self.name, self.held)

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """The whole configuration of one job, `hydra` node included.

        Raises what Hydra's composition raises.
        """
        config: DictConfig = pickle.loads(self._base(overrides).whole)
        return self._finish(config, overrides)

    def task(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration that the job function gets: without the `hydra` node, and cheaper."""
        lines = self.held + list(overrides)
        config: DictConfig = pickle.loads(self._base(overrides).task)
        values = [o for o in parse(lines) if self._is_value(o) and not o.is_hydra_override()]
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        return record_resolved(config) if any("${" in line for line in overrides) else config

    def _is_value(self, override: Override) -> bool:
        # Hydra's own rule (hydra._internal.defaults_list.Overrides): all else decides which files count.
        is_value = isinstance(override.value(), dict) or not self._repository.group_exists(override.key_or_group)
        return is_value and override.key_or_group != "hydra.searchpath"

    def _base(self, overrides: Sequence[str]) -> Base:
        parsed = parse(self.held + list(overrides))
        ConfigLoaderImpl.validate_sweep_overrides_legal(parsed, run_mode=RunMode.RUN, from_shell=True)
        choices = tuple(str(o.input_line) for o in parsed if not self._is_value(o))
        if choices not in self._bases:
            config = self.loader.load_configuration(
                config_name=self.name, overrides=list(choices), run_mode=RunMode.RUN
            )
            whole = pickle.dumps(record_resolved(config))
            with read_write(config), open_dict(config):
                del config["hydra"]
            self._bases[choices] = Base(whole, pickle.dumps(config))
        return self._bases[choices]

    def _finish(self, config: DictConfig, overrides: Sequence[str]) -> DictConfig:
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
        return record_resolved(config) if any("${" in line for line in overrides) else config
