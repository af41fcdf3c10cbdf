"""`hydra/launcher=ray`: Ray, started here or joined where it runs already, before Hydra's plugin would."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf

from probeta.sweeps.errors import LauncherFailed

OBJECT_STORE = 78_643_200
"""Bytes, as the plugin gives a Ray of its own: our jobs hand over little."""


def disable_task_retries(config: DictConfig) -> None:
    """Keep Ray from repeating a task whose worker died three times without a word: the sweep decides that."""
    OmegaConf.update(config, "hydra.launcher.ray.remote", {"max_retries": 0, "num_cpus": 1}, force_add=True)


def connect(init: DictConfig) -> None:
    """Start Ray with the options `init`, or join the cluster that `init.address` or RAY_ADDRESS names.

    The plugin, which finds it started, would give a running cluster options that only a new one may have, and leave
    its failure to every job. Raises `LauncherFailed`.
    """
    import ray

    if ray.is_initialized():
        return
    options: Any = {"logging_level": logging.WARNING, **OmegaConf.to_container(init, resolve=True)}  # type: ignore[dict-item]
    address = options.get("address") or os.environ.get("RAY_ADDRESS")
    if not address:
        # Not null, with which Ray joins whatever was begun on this machine, even what is gone.
        options |= {"address": "local", "object_store_memory": options.get("object_store_memory") or OBJECT_STORE}
    else:
        offer_token()
    try:
        if address and ":" in address and "://" not in address:
            # Ray itself would ask for minutes.
            host, _, port = str(address).rpartition(":")
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(**options)
    except Exception as error:
        why = " ".join(str(error).split())[:300] or type(error).__name__
        told = f"hydra.launcher.ray.init.address={address}: no Ray cluster is joined there" if address else "Ray"
        raise LauncherFailed(f"{told}: {why}") from error


def offer_token() -> None:
    """Show the cluster Ray's token where there is one (RAY_AUTH_TOKEN, ~/.ray/auth_token): one that `ray start` has
    begun asks for it. Ray does so by itself only for clusters of its own, or where RAY_AUTH_MODE=token.
    """
    with suppress(ImportError):  # versions without tokens, or that keep them elsewhere
        from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

        logging.getLogger(maybe_enable_token_auth_if_token_available.__module__).setLevel(logging.ERROR)
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
