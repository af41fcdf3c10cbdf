"""`probeta train`: one run, or a multirun with -m or a study."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from omegaconf import DictConfig

from probeta.commands.plugins import register_plugins
from probeta.composition.app import launch
from probeta.composition.job import Command
from probeta.config.imports import pause_garbage_collection
from probeta.errors import ConfigError
from probeta.runs.record import COMPLETED
from probeta.training.task import resume, task


def check(config: DictConfig) -> set[str]:
    """As `config.build`, which takes seconds to import: a sweep of which all is done needs none of it."""
    with pause_garbage_collection():
        from probeta.config import build
    return build.check(config)


def main(argv: list[str]) -> int:
    plain = [a.lstrip("+") for a in argv]
    resumed = [a.removeprefix("resume=") for a in plain if a.startswith("resume=") and a != "resume=null"]
    if resumed:
        trust = [a.removeprefix("trust=") for a in plain if a.startswith("trust=")]
        others = [a for a in plain if not a.startswith(("resume=", "trust="))]
        if others:
            raise ConfigError(
                f"{others[0]} is not accepted: a resumed run keeps its configuration, resume=DIR stands alone "
                "or with trust=[PACKAGE]"
            )
        from probeta.config.trust import trust_argument

        result = resume(os.path.expanduser(resumed[-1]), trust_argument(trust[-1] if trust else None))
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
