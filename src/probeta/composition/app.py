"""The Hydra side of `train` and `probe`: compose once, refuse mistakes, then run or sweep."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra, create_config_search_path, get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobRuntime, JobStatus, configure_log, run_job
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from probeta.composition.job import Command, drop_hydra, get_outcome, record_resolved
from probeta.composition.unknown_keys import name_mistakes
from probeta.config.switches import check_recipe, check_switches
from probeta.errors import ConfigError, RunDirectoryError
from probeta.runs.atomic import name_failures
from probeta.runs.identity import quote

CONFIG = "pkg://probeta.conf"


def register_resolvers() -> None:
    """`${unique:}`: six hexadecimal digits, so that runs started in the same second have folders of their own."""
    OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def launch(command: Command, argv: list[str]) -> Any:
    """Run `command` as Hydra's command line `argv` says, once or as a multirun; returns the run's result."""
    version.setbase("1.3")
    register_resolvers()
    args = parse_arguments([as_typed(expand_home(argument)) for argument in argv])
    if args.help or args.hydra_help or args.cfg or args.info or args.shell_completion:
        # Hydra's own pages exit with 0 or raise; errors come to `exit_status` and not to Hydra's printer.
        os.environ.setdefault("HYDRA_FULL_ERROR", "0")
        sys.argv = [f"probeta {command.name}", *argv] if not args.shell_completion else ["probeta", *argv]
        _run_hydra(args, get_args_parser(), command, CONFIG, command.name)
        return None
    command = replace(command, line=tuple(argv))
    hydra = open_hydra(args, command.name)
    try:
        name = args.config_name or command.name
        if args.multirun or sweeps(args.overrides):
            # Every key of a study may be said, whether its file names it or not: `Study` refuses the unknown.
            with name_mistakes(hydra, name, args.overrides):
                lines = [f"++{line}" if line.startswith("study.") else line for line in args.overrides]
                return hydra.multirun(name, command, [*lines, "hydra.mode=MULTIRUN"])
        return run_once(hydra, name, command, args.overrides)
    finally:
        GlobalHydra.instance().clear()


RESOLVERS = ("hydra", "now", "python_version", "unique")
"""Those that `launch` registers, Hydra's among them."""


@contextmanager
def restore_hydra() -> Iterator[None]:
    """What Hydra keeps for the whole process (its configuration, its resolvers) is afterwards as the caller had it."""
    opened, config = GlobalHydra.instance(), HydraConfig.instance()
    runtime, base = JobRuntime.instance(), VersionBase.instance()
    before = (opened.hydra, config.cfg, runtime.conf.copy(), base.version_base)
    known = [name for name in RESOLVERS if OmegaConf.has_resolver(name)]
    opened.clear()
    try:
        yield
    finally:
        opened.hydra, config.cfg, runtime.conf, base.version_base = before
        for name in RESOLVERS:
            if name not in known and OmegaConf.has_resolver(name):
                OmegaConf.clear_resolver(name)


def parse_arguments(argv: list[str]) -> Namespace:
    """Hydra's options, none of them abbreviated: `--experiment` is no short form of one of them."""
    parser = get_args_parser()
    parser.allow_abbrev = False
    known = {option for action in parser._actions for option in action.option_strings}
    for i, argument in enumerate(argv):
        option = argument.split("=")[0]
        if option.startswith("--") and option not in known:
            after = argv[i + 1] if i + 1 < len(argv) and "=" not in argument else argument.partition("=")[2]
            key = option.lstrip("-")
            raise ConfigError(f"{option} is not an option; keys have no dashes: {key}={after or '…'}")
        if argument.startswith("="):
            raise ConfigError(f"{argv[i - 1]} {argument} contains a space: {argv[i - 1]}{argument}")
    args: Namespace = parser.parse_intermixed_args(argv)
    for argument in args.overrides:
        if "=" not in argument and not argument.startswith("~"):
            raise ConfigError(f"{argument!r} is no key=value: {suggestion(argument)}")
    return args


def suggestion(word: str) -> str:
    """What a lone word may have been meant as: the name of an experiment or of a study, else a value without a key."""
    from importlib.resources import files

    for group in ("experiment", "study", "probe"):
        if files("probeta.conf").joinpath(group, f"{word}.yaml").is_file():
            return f"did you mean {group}={word}?"
    return "keys are set as in optimizer.lr=0.1, and what they choose is shown by probeta list"


def expand_home(argument: str) -> str:
    """`output_dir=~/runs` → `output_dir=/home/…/runs`: no shell does that behind an equals sign."""
    found = re.fullmatch(r"([\w.@/+-]+=)([\"']?)(~/.*)", argument, re.DOTALL)
    return argument if found is None else found[1] + found[2] + os.path.expanduser(found[3])


def find_value(arguments: Iterable[str], key: str) -> str | None:
    """What the last `key=value` of `arguments` says, as Hydra is given it; `None` where there is none."""
    said = [expand_home(line).partition("=")[2] for line in arguments if line.startswith(f"{key}=")]
    return said[-1] if said else None


PATHS = ("run", "output_dir", "hydra.run.dir", "hydra.sweep.dir",
         *(f"data.{key}" for key in ("root", "cache", "file", "path", "val", "test")))  # fmt: skip


def as_typed(argument: str) -> str:
    """A folder's name is no expression: `hydra.run.dir=out[1]` is quoted where Hydra's grammar cannot read it."""
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in PATHS:
        return argument
    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return f"{key}={quote(value)}"
    return argument


def run_once(hydra: Hydra, name: str, command: Command, overrides: list[str]) -> Any:
    """A single run: as Hydra's own `run`, but refused before its folder is written, and composed once."""
    config = compose(hydra, name, overrides)
    task_config = drop_hydra(record_resolved(config))
    check_switches(task_config)
    if (named := task_config.get("name")) is not None:
        raise ConfigError(f"name={named} is not used: it is a sweep's; hydra.run.dir=DIR says where a single run goes")
    if task_config.get("zip") is not None:
        raise ConfigError(f"zip={task_config.zip} is not used: it is for the axes of a sweep (-m)")
    command.check(task_config)
    check_recipe(task_config, overrides)
    prepare_directory(Path(config.hydra.run.dir))
    callbacks = Callbacks(config)
    callbacks.on_run_start(config=config, config_name=name)
    # What the command itself raises is returned: this names what Hydra cannot write.
    with name_failures(Path(config.hydra.run.dir) / ".hydra"):
        ret = run_job(
            hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=callbacks),
            task_function=command,
            config=config,
            job_dir_key="hydra.run.dir",
            job_subdir_key=None,
        )
    callbacks.on_run_end(config=config, config_name=name, job_return=ret)
    if ret.status == JobStatus.FAILED:
        raise get_outcome(ret)
    return ret.return_value


def sweeps(overrides: list[str]) -> bool:
    """Whether the overrides ask for a multirun without `-m`: a study always is one, and so is a search."""
    chosen = dict(o.lstrip("+").split("=", 1) for o in overrides if "=" in o)
    return (
        chosen.get("study", "null") not in ("null", "")
        or chosen.get("hydra.mode") == "MULTIRUN"
        or chosen.get("hydra/sweeper") == "optuna"
    )


def open_hydra(args: Namespace, command: str) -> Hydra:
    search_path = create_config_search_path(CONFIG)
    if args.config_path:
        raise ConfigError("--config-path is not accepted: --config-dir DIR adds your own configurations to ours")
    if args.config_dir:
        folder = Path(args.config_dir).absolute()
        if not folder.is_dir():
            raise ConfigError.value("--config-dir", args.config_dir, "a folder that exists")
        search_path.prepend(provider="command-line", path=f"file://{folder}")
    return Hydra.create_main_hydra2(task_name=command, config_search_path=search_path)


def compose(hydra: Hydra, name: str, overrides: list[str]) -> DictConfig:
    """The configuration of a single run."""
    with name_mistakes(hydra, name, overrides):
        return hydra.compose_config(
            config_name=name,
            overrides=[*overrides, "hydra.mode=RUN"],
            run_mode=RunMode.RUN,
            with_log_configuration=False,
        )


@contextmanager
def composed(name: str, argv: list[str]) -> Iterator[tuple[DictConfig, list[str]]]:
    """The whole configuration `name` as `argv` says it, and its overrides, while Hydra is open to resolve it."""
    version.setbase("1.3")
    register_resolvers()
    args = parse_arguments([as_typed(expand_home(argument)) for argument in argv])
    hydra = open_hydra(args, name)
    try:
        yield compose(hydra, name, args.overrides), args.overrides
    finally:
        GlobalHydra.instance().clear()


def begin_run(name: str, argv: list[str]) -> Path:
    """The folder of a single run of `name` with `argv`, empty and writable; from here on it has the log, too."""
    with composed(name, argv) as (config, _):
        path = Path(config.hydra.run.dir).absolute()
        prepare_directory(path)
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = str(path)
        configure_log(config.hydra.job_logging, config.hydra.verbose)
    return path


def compose_tree(name: str, argv: list[str]) -> dict[str, Any]:
    """The configuration `name` as `argv` says it, its interpolations resolved; `???` where a value has to be given.

    Of Hydra's own keys those of a launcher or a sweeper that `argv` chooses, as they stand.
    """
    with composed(name, argv) as (config, overrides):
        tree = OmegaConf.to_container(drop_hydra(config), resolve=True)
    assert isinstance(tree, dict)
    chosen = {part for part in ("launcher", "sweeper") if any(f"hydra/{part}=" in line for line in overrides)}
    if chosen:
        tree["hydra"] = {part: OmegaConf.to_container(config.hydra[part]) for part in sorted(chosen)}
    return {str(key): value for key, value in tree.items()}


def prepare_directory(path: Path) -> None:
    """A new run's folder must be empty and writable before Hydra writes the first file into it."""
    if path.is_dir() and any(path.iterdir()):
        resume = shlex.quote(f"resume={path}")
        raise RunDirectoryError(f"hydra.run.dir={path} is not empty: runs never share a folder ({resume} goes on)")
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".lock"
        probe.write_bytes(b"")
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror or error}") from None
