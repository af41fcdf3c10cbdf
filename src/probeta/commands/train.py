"""`probeta train`: one run, or a multirun with -m or a study."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from probeta.commands.plugins import register_plugins
from probeta.composition.app import find_value, launch
from probeta.composition.job import Command
from probeta.config.imports import pause_garbage_collection
from probeta.errors import ConfigError
from probeta.runs.identity import parse
from probeta.runs.record import COMPLETED
from probeta.training.task import resume, task


def check(config: DictConfig) -> set[str]:
    """As `config.build`, which takes seconds to import: a sweep of which all is done needs none of it."""
    with pause_garbage_collection():
        from probeta.config import build
    return build.check(config)


PLACES = ("output_dir", "hydra.run.dir")


def extend_run(argv: Sequence[str]) -> dict[str, Any]:
    """`extend=DIR trainer.max_epochs=N`, with where the new run goes and whom to trust."""
    from probeta.config.trust import trust_argument
    from probeta.training.extend import CHANGES, extend

    lines = [argument.lstrip("+") for argument in argv]
    accepted = ("extend", *CHANGES, *PLACES, "trust")
    if others := [line for line in lines if line.partition("=")[0] not in accepted]:
        raise ConfigError(
            f"{others[0]} is not accepted: a run that is trained further keeps its configuration; beside extend=DIR "
            f"stand {', '.join(accepted[1:])}"
        )
    changes = {o.key_or_group: o.value() for o in parse([a for a in lines if a.partition("=")[0] in CHANGES])}
    places = [line for line in lines if line.partition("=")[0] in PLACES]
    directory, trust = find_value(lines, "extend"), trust_argument(find_value(lines, "trust"))
    return extend(str(directory), changes, places, trust)


def main(argv: list[str]) -> int:
    plain = [a.lstrip("+") for a in argv]
    if (resumed := find_value(plain, "resume")) not in (None, "null"):
        others = [a for a in plain if not a.startswith(("resume=", "trust="))]
        if others:
            raise ConfigError(
                f"{others[0]} is not accepted: a resumed run keeps its configuration, resume=DIR stands alone "
                "or with trust=[PACKAGE]"
            )
        from probeta.config.trust import trust_argument

        result = resume(str(resumed), trust_argument(find_value(plain, "trust")))
    elif find_value(plain, "extend") not in (None, "null"):
        register_plugins()
        result = extend_run(argv)
    else:
        register_plugins()
        result = launch(Command("train", task, check), argv)
    if isinstance(result, dict) and result.get("status") == COMPLETED:
        from probeta.commands.outcome import print_outcome

        try:
            print_outcome(Path(result["path"]))
        except BrokenPipeError:
            raise
        except Exception as error:  # the run is completed, whatever cannot be printed of it
            print(f"{result['path']} is completed; not printed: {type(error).__name__}: {error}", file=sys.stderr)
    return 0
