"""`probeta.train`, `sweep`, `study`, `probe`, `exercise`, `resume`: each leaves what its command leaves."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from probeta.api.isolation import restore_process
from probeta.api.run import Run
from probeta.api.sweep import Sweep
from probeta.commands.failures import one_line
from probeta.commands.outcome import shorten_path
from probeta.commands.plugins import register_plugins
from probeta.commands.train import extend_run
from probeta.composition.app import find_value, launch, sweeps
from probeta.composition.job import Command
from probeta.composition.unknown_keys import SeveralValues
from probeta.config import build
from probeta.errors import ConfigError
from probeta.exercises import commands, study_command
from probeta.inference import probe as probing
from probeta.models.given import hand_over, hash_source
from probeta.report.language import Language
from probeta.runs.directory import RunDirectory
from probeta.runs.identity import quote
from probeta.runs.signals import Interrupted
from probeta.sweeps.errors import SweepFailed
from probeta.training import task as training

Raised = TypeVar("Raised", bound=BaseException)

COMMANDS = {
    "train": Command("train", training.task, build.check, prints_report=False),
    "probe": Command("probe", probing.task, probing.check, prints_report=False),
}


def train(*overrides: str, data: Any = None, model: type[nn.Module] | None = None, lang: str = "en") -> Run:
    """`probeta train` with these overrides: one run.

    Args:
        overrides: as on the command line, `"experiment=moons_mlp"`, `"optimizer.lr=0.1"`; or
            `"extend=DIR", "trainer.max_epochs=N"`, which trains a finished run further as a new one.
        data: your own: `(X, y)`, `(N, features)` numbers and `(N,)` classes; a data frame, read as `data=table` reads
            one, whose classes stand in the column that `data.target=…` names, else in `target`, else in the last; or
            sentence pairs `[(source, target), …]`. They are kept in the run directory.
        model: your own net, a class built as `model(in_features, classes)` that takes `(B, in_features)` points to
            `(B, classes)` logits. Its source is kept in the run directory.
        lang: language of its figures, `en` or `es`.

    Raises:
        ConfigError: a key or a value is not accepted; in the words of the command.
        KeyboardInterrupt: the run was stopped; `resume` goes on from its last checkpoint. Of this and whatever else
            ends a run that has begun, `run` is the run.
    """
    with hand_over(model):
        if find_value(overrides, "extend") is not None:
            if data is not None:
                raise ConfigError("data is not accepted: a run that is trained further keeps its own")
            with _called(lang):
                return Run(extend_run(overrides)["path"], model=model, lang=lang)
        return _once("train", [*overrides, *given(data, model, overrides)], lang, model)


def probe(name: str, *overrides: str, lang: str = "en") -> Run:
    """`probeta probe probe=NAME`: a run whose `measurements` and figures say what was found.

    Raises as `train`, and `RuntimeError` where a check fails: its `run` has what was measured.
    """
    return _once("probe", [f"probe={name}", *overrides], lang)


def sweep(
    *overrides: str,
    seeds: Iterable[int] | None = None,
    lang: str = "en",
    data: Any = None,
    model: type[nn.Module] | None = None,
) -> Sweep:
    """`probeta train -m`: every combination of the values listed, vectorized where it can be.

    What an earlier call, or the command, has completed is not run again.

    Args:
        overrides: as on the command line, `"optimizer.lr=0.05,0.1"`.
        seeds: each combination is run with each of these.
        lang: language of the summary and the page, `en` or `es`.
        data: as in `train`.
        model: as in `train`; such runs are made one after the other.

    Raises:
        ConfigError: a key or a value is not accepted; nothing has run then.
        KeyboardInterrupt: the sweep was stopped; the same call goes on.
    """
    chosen = [] if seeds is None else [f"seed={_listed(seeds)}"]
    with hand_over(model):
        return _sweep("train", [*overrides, *chosen, *given(data, model, overrides)], lang, "-m")


def study(name: str, *overrides: str, seeds: Iterable[int] | None = None, lang: str = "en") -> Sweep:
    """`probeta train study=NAME` (or `probe`, where it studies one), with `seeds` in place of its own.

    Raises as `sweep`.
    """
    chosen = [] if seeds is None else [f"study.seeds=[{_listed(seeds)}]"]
    return _sweep(study_command(name), [f"study={name}", *overrides, *chosen], lang)


def exercise(number: int, *overrides: str, lang: str = "en") -> Sweep:
    """`probeta exercise N`: the study of an exercise of the course; its page is the answer. Raises as `sweep`."""
    if number not in commands():
        raise ConfigError.value("number", number, f"one of {', '.join(map(str, commands()))}")
    return study(f"exercise_{number:02d}", *overrides, lang=lang)


def resume(run: Run | str | Path, trust: Sequence[str] = ()) -> Run:
    """Go on with an interrupted run from its last checkpoint, as if it had never stopped.

    Raises:
        RunDirectoryError: there is nothing to go on with.
    """
    path, lang = (run.path, run.language.code) if isinstance(run, Run) else (Path(run), "en")
    with _called(lang):
        training.resume(str(path), trust)
    return Run(path, trust, lang=lang)


def load_run(
    directory: str | Path,
    trust: Sequence[str] | None = None,
    model: type[nn.Module] | None = None,
    lang: str = "en",
) -> Run:
    """The finished run in `directory`, with its kept weights. Nothing in it is executed but what probeta and `trust`
    define; a `model` that was handed over to `train` is handed over again. Raises `RunDirectoryError` where there is
    no finished run with weights."""
    run = Run(directory, trust or (), model, lang)
    _ = run.loaded
    return run


def given(data: Any, model: type[nn.Module] | None, overrides: Sequence[str]) -> list[str]:
    """The overrides that choose data and a model which were handed over; the data are written to a file first."""
    root = Path(find_value(overrides, "output_dir") or "outputs")
    lines = []
    if data is not None:
        from probeta.data.given import keep_pairs, keep_points, keep_table, list_texts

        if hasattr(data, "columns"):
            target = find_value(overrides, "data.target")
            if target is None:
                target = quote(str("target" if "target" in data.columns else data.columns[-1]))
            lines += ["data=table", f"data.path={keep_table(data, root)}", f"data.target={target}"]
            texts = [quote(name) for name in list_texts(data) if name != target.strip("'\"")]
            if texts and find_value(overrides, "data.categorical") is None:
                lines.append(f"data.categorical=[{','.join(texts)}]")
        elif isinstance(data, tuple):
            if len(data) != 2:
                raise ConfigError(f"data is a tuple of {len(data)}: (X, y), a data frame, or a list of pairs")
            lines += ["data=given_points", f"data.file={keep_points(*data, root)}"]
        else:
            lines += ["data=given_pairs", f"data.file={keep_pairs(data, root)}"]
    if model is not None:
        lines += ["model=given_net", f"model.net={model.__name__}", f"model.source_sha256={hash_source(model)}"]
    return lines


def _once(command: str, overrides: Sequence[str], lang: str, model: type[nn.Module] | None = None) -> Run:
    if sweeps(list(overrides)) or "-m" in overrides:
        raise ConfigError(f"probeta.{command} makes one run: probeta.sweep and probeta.study make many")
    with _called(lang):
        try:
            result = launch(COMMANDS[command], list(overrides))
        except SeveralValues as error:
            raise ConfigError(str(error).replace("-m makes", "probeta.sweep makes", 1)) from None
    return Run(result["path"], model=model, lang=lang)


def _sweep(command: str, overrides: Sequence[str], lang: str, *options: str) -> Sweep:
    own = [] if lang == "en" else [f"lang={lang}"]
    if command == "train" and not any(line.lstrip("+").startswith("hydra/launcher=") for line in overrides):
        own.append("hydra/launcher=vectorized")
    with _called(lang):
        try:
            directory = launch(COMMANDS[command], [*options, *overrides, *own]).directory
        except SweepFailed as failed:
            directory = failed.directory
            warnings.warn(f"{failed}; the same call tries them again", stacklevel=3)
    return Sweep(directory, lang)


def _listed(seeds: Iterable[int]) -> str:
    values = list(seeds)
    if not values:
        raise ConfigError("seeds is empty: at least one")
    return ",".join(map(str, values))


@contextmanager
def _called(lang: str = "en") -> Iterator[None]:
    """A command inside the caller's process: its mistakes are `ValueError`s, and nothing of it is left behind."""
    Language(lang)
    with restore_process():
        try:
            register_plugins()
            yield
        except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
            raise ConfigError(one_line(error)) from None
        except Interrupted as interruption:
            told, directory = f"interrupted ({interruption})", getattr(interruption, "directory", None)
            if directory is not None and RunDirectory(directory).last.is_file():
                told += f": probeta.resume({shorten_path(directory)!r}) goes on"
            raise _with_run(KeyboardInterrupt(told), directory, lang) from None
        except Exception as error:
            _with_run(error, getattr(error, "directory", None), lang)
            raise


def _with_run(error: Raised, directory: Path | None, lang: str) -> Raised:
    """Whoever catches the end of a run finds it at `error.run`: what it measured, and where it goes on."""
    if directory is not None:
        vars(error)["run"] = Run(directory, lang=lang)
    return error
