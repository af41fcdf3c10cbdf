"""A call is a guest in the caller's process: what it changes for everyone there, it puts back."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from probeta.callbacks.checkpoint import random_states, set_random_states
from probeta.composition.app import restore_hydra
from probeta.runs.signals import ENDING


@contextmanager
def restore_process() -> Iterator[None]:
    """Hydra, logging, warnings, signal handlers, random states, environment, folder and torch's settings: as before."""
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(restore_hydra())
        for restored in (set_aside_objects, restore_logging, restore_environment, restore_signals, restore_torch):
            stack.enter_context(restored())
        yield


@contextmanager
def set_aside_objects() -> Iterator[None]:
    """Garbage is looked for among the call's own objects: the caller's, and those of torch, are half a million."""
    if gc.get_freeze_count():
        yield  # the caller has set aside objects, and `unfreeze` would bring back those too
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def restore_logging() -> Iterator[None]:
    """Loggers keep their levels and handlers; those that were added are closed."""
    root = logging.getLogger()
    loggers = [root, *(one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(one, one.level, one.handlers[:], one.propagate, one.disabled) for one in loggers]
    raises = logging.raiseExceptions
    try:
        yield
    finally:
        logging.raiseExceptions = raises
        for one, level, handlers, propagate, disabled in before:
            for handler in set(one.handlers) - set(handlers):
                handler.close()
            if one.level != level:  # setting it empties every logger's cache
                one.setLevel(level)
            one.handlers[:], one.propagate, one.disabled = handlers, propagate, disabled


@contextmanager
def restore_environment() -> Iterator[None]:
    folder, environment = os.getcwd(), dict(os.environ)
    try:
        yield
    finally:
        os.chdir(folder)
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)


@contextmanager
def restore_signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers are the main thread's
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def restore_torch() -> Iterator[None]:
    """The generators of Python, numpy and torch, too."""
    states, threads, dtype = random_states(), torch.get_num_threads(), torch.get_default_dtype()
    deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        set_random_states(states)
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(deterministic)
