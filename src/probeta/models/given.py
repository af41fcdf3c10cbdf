"""A net of the caller's own, a class of a notebook say, trained as a classifier."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import nn

from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError
from probeta.models.classifier import Classifier, ClassWeight

_handed: ContextVar[type[nn.Module] | None] = ContextVar("handed", default=None)


@contextmanager
def hand_over(net: type[nn.Module] | None) -> Iterator[None]:
    """Inside, `GivenNet` may build `net`: code that no configuration can name."""
    token = _handed.set(net)
    try:
        yield
    finally:
        _handed.reset(token)


def read_source(net: type[nn.Module]) -> str:
    try:
        return inspect.getsource(net)
    except (OSError, TypeError):
        if (source := find_in_cell(net)) is None:
            raise ConfigError(
                f"the source of {net.__name__} cannot be read: write the class in a cell or a module"
            ) from None
        return source


def find_in_cell(net: type[nn.Module]) -> str | None:
    """The source of a class of a notebook, of which `inspect` knows no file (before Python 3.13): its methods know
    their cell."""
    for method in filter(inspect.isfunction, vars(net).values()):
        cell, line = "".join(linecache.getlines(method.__code__.co_filename)), method.__code__.co_firstlineno
        classes = [node for node in ast.walk(ast.parse(cell)) if isinstance(node, ast.ClassDef)]
        for node in classes:
            if node.name == net.__name__ and node.lineno <= line <= (node.end_lineno or 0):
                return f"{ast.get_source_segment(cell, node)}\n"
    return None


def hash_source(net: type[nn.Module]) -> str:
    return hashlib.sha256(read_source(net).encode()).hexdigest()


class GivenNet(Classifier):
    """The net that was handed over, `net(in_features, classes)`: points `(B, in_features)` → logits `(B, classes)`.

    Its source is kept in the run directory and never executed from there: whoever loads the run hands it over again.

    Args:
        net: the name of its class.
        source_sha256: a hash of its source, so that an edited class is another run.
        class_weight: null, `balanced`, or one number per class.

    Raises:
        ConfigError: no class was handed over, or another one.
    """

    accepts = PointsSpec
    vectorizes = False
    stacks = False

    def __init__(self, spec: PointsSpec, net: str, source_sha256: str, class_weight: ClassWeight = None) -> None:
        super().__init__(spec, class_weight)
        handed = _handed.get()
        if handed is None:
            raise ConfigError(f"model.net={net} is a class of a notebook: hand it over, model={net} in Python")
        self.source = read_source(handed)
        if handed.__name__ != net or hash_source(handed) != source_sha256:
            raise ConfigError(
                f"model.net={net} is not the {handed.__name__} that was handed over, or has changed since"
            )
        self.net = handed(spec.in_features, spec.classes)

    def artifacts(self, data: Any) -> dict[str, Any]:
        return {**super().artifacts(data), "model": self.source}
