"""How a command ends when something went wrong: a line or two for the reader, a status for the shell."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from probeta.errors import UserError
from probeta.runs.signals import Interrupted

MISTAKE, FAILURE = 2, 1

EXTRAS = {"ray": "ray", "submitit_local": "submitit", "submitit_slurm": "submitit"}
"""Launchers that come with an extra of ours."""


@dataclass
class Status:
    code: int = 0


@contextmanager
def exit_status() -> Iterator[Status]:
    """Turn what a command raises into a message and an exit status; tracebacks only with HYDRA_FULL_ERROR=1."""
    status = Status()
    # On a full disk the handlers of run.log would bury the message under tracebacks of their own.
    logging.raiseExceptions = False
    # So would the thread that writes TensorBoard's events, whose failure is raised here at the next event.
    threading.excepthook = _print_thread_failure
    try:
        yield status
    except Interrupted as interruption:
        status.code = interruption.exit_code
        for line in (f"interrupted ({interruption})", *getattr(interruption, "__notes__", ())):
            print(f"probeta: {line}", file=sys.stderr)
    except KeyboardInterrupt:
        status.code = 130
        print("probeta: interrupted", file=sys.stderr)
    except (UserError, HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        status.code = MISTAKE
        print_failure(error, one_line(error))
    except BrokenPipeError:
        # The reader of our output is gone (`probeta list | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        status.code = MISTAKE
        print_failure(error, f"{error.filename or 'a file'}: {error.strerror or error}")
    except Exception as error:
        status.code = FAILURE
        print_failure(error, f"failed: {type(error).__name__}: {error}")


def _print_thread_failure(raised: threading.ExceptHookArgs) -> None:
    if not (type(raised.thread).__module__.startswith("tensorboard") and issubclass(raised.exc_type, OSError)):
        threading.__excepthook__(raised)


def print_failure(error: BaseException, message: str) -> None:
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        traceback.print_exception(error)
    print(f"probeta: {message}", file=sys.stderr)


def one_line(error: Exception) -> str:
    """Hydra's several lines as one; our own messages as they are."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, yaml.YAMLError):
        return f"a configuration file is no YAML: {' '.join(str(error).split())}"
    if isinstance(error, OverrideParseException):
        # Hydra repeats the override before its reason, and names a page of its own after it.
        lines = [line.strip() for line in str(error.message).splitlines()]
        why = " ".join(line for line in lines if line and not line.startswith(("Error parsing override", "See http")))
        hint = "" if "while evaluating" in why else " (quote special characters)"
        return f"{error.override!r} cannot be parsed as key=value: {why}{hint}"
    text = str(error)
    option = re.search(
        r"Could not find '([^']+)'\s+Available options in '([^']+)':\s+(.*?)(?:Config search path|$)", text, re.DOTALL
    )
    if option:
        from probeta.errors import ConfigError

        wanted, group, known = option.groups()
        name = wanted.rsplit("/", 1)[-1]
        if group == "hydra/launcher" and name in EXTRAS:
            return f"{group}={name} is not installed: pip install 'probeta[{EXTRAS[name]}]'"
        return str(ConfigError.unknown(f"option of {group}", name, known.split()))
    return " ".join(text.replace("To append to your config use", "to add it use").split())
