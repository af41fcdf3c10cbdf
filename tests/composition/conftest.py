"""The small program of the sweeps' tests, opened as its command line opens it."""

from tests.sweeps.conftest import hydra

__all__ = ["hydra"]
