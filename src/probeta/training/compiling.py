"""`compile=true`: the net through `torch.compile`, where there is a compiler."""

from __future__ import annotations

import os
import shutil

from probeta.errors import ConfigError
from probeta.models.module import Module

COMPILERS = ("g++", "clang++", "c++")


def compile_net(model: Module, device: str) -> None:
    """Compile `model.net` in place; its parameters and their names stay as they are.

    Raises `ConfigError` for a model whose inputs do not keep their shape, and on a CPU without a C++ compiler.
    """
    if not model.compiled:
        raise ConfigError(
            f"compile=true is for nets whose batches keep one shape, and a {type(model).__name__}'s do not: "
            "say compile=false"
        )
    if device == "cpu" and not any(shutil.which(name) for name in (os.environ.get("CXX", ""), *COMPILERS)):
        raise ConfigError(
            "compile=true needs a C++ compiler on a CPU, and none is found: install g++ or clang++, "
            "name one in the environment's CXX, or say compile=false"
        )
    model.net.compile()
