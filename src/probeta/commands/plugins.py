"""The launcher and the sweepers, made known to Hydra."""

from __future__ import annotations

from hydra_plugins.probeta_launcher import launcher
from hydra_plugins.probeta_sweeper import sweeper


def register_plugins() -> None:
    """Hydra finds plugins by walking `hydra_plugins`, which does not show it an editable install's."""
    for plugin in (sweeper, launcher):
        plugin.register()
