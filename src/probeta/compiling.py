"""`compile=true`: the net's own functions through `torch.compile`, where there is a compiler."""

from __future__ import annotations

import os
import shutil

import torch

from probeta.errors import ConfigError
from probeta.models.module import Module

COMPILERS = ("g++", "clang++", "c++")


def compile_net(model: Module, device: str) -> None:
    """Compile what training calls of `model.net` (`Module.compiled`); parameters and their names stay as they are.

    Shapes are dynamic: batches of text differ in length. Raises `ConfigError` where there is nothing to compile, or
    on a CPU no C++ compiler.
    """
    if not model.compiled:
        raise ConfigError(
            f"compile=true has nothing to compile in {type(model).__name__}, whose loop over time is written by hand: "
            "say compile=false"
        )
    if device == "cpu" and not any(shutil.which(name) for name in (os.environ.get("CXX", ""), *COMPILERS)):
        raise ConfigError(
            "compile=true needs a C++ compiler on a CPU, and none is found: install g++ or clang++, "
            "name one in the environment's CXX, or say compile=false"
        )
    for name in model.compiled:
        setattr(model.net, name, torch.compile(getattr(model.net, name), dynamic=True))
