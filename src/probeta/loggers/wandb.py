"""Runs in Weights & Biases: offline unless the configuration says otherwise, in the run's own folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from probeta.errors import ConfigError
from probeta.loggers.viewer import Rows, Viewer, describe_failure, describe_origin, require

STEP = "trainer/global_step"
"""What Lightning's own logger draws curves over."""


class Wandb(Viewer):
    """Logs to the run's folder, or to a server.

    Args:
        offline: whether the run is written to its own folder (`wandb/offline-run-…`), from which `wandb sync` sends it.
        project: under which the run is listed.
        directory, settings, resume_step: what the run says of itself.
    """

    package = "wandb"

    def __init__(
        self,
        directory: str | Path,
        settings: Mapping[str, Any],
        offline: bool = True,
        project: str = "probeta",
        resume_step: int | None = None,
    ) -> None:
        super().__init__(directory, settings, resume_step is not None)
        self.offline, self.project = offline, project

    @staticmethod
    def check(offline: bool = True, project: str = "probeta") -> None:
        """`ConfigError` where wandb is not installed or, where it is to send at once, no server takes it."""
        wandb = require("wandb")
        if not offline:
            try:
                assert wandb.Api(timeout=20).viewer is not None
            except Exception as error:
                raise ConfigError(
                    f"logger.wandb.offline=false: no server takes it ({describe_failure(error)}); with offline=true "
                    "`wandb sync` sends it later"
                ) from None

    @staticmethod
    def connects(node: Mapping[str, Any]) -> bool:
        """Whether `node` has it connect to a server."""
        return node.get("offline") is False

    def begin(self) -> Any:
        latest = self.directory / "wandb" / "latest-run"
        earlier = latest.resolve().name.rpartition("-")[2] if self.resumed and latest.exists() else None
        origin = describe_origin(self.directory)
        return open_run(
            self.directory, self.directory.name, self.offline, id=earlier, resume="allow" if earlier else None,
            project=self.project, group=self.directory.parent.name, config={**self.settings, **origin},
        )  # fmt: skip

    def send(self, rows: Rows) -> None:
        log_rows(self.experiment, rows)

    def send_result(self, metrics: Mapping[str, float]) -> None:
        self.experiment.summary.update(dict(metrics))

    def end(self, failed: bool) -> None:
        self.experiment.finish(int(failed))


def open_run(folder: Path, name: str, offline: bool, step: str = STEP, **what: Any) -> Any:
    """A run of wandb in `folder`/wandb, drawn over `step`; `what` is the rest of `wandb.init`."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    wandb = require("wandb")
    settings = wandb.Settings(
        mode="offline" if offline else "online", silent=True, console="off", disable_git=True, save_code=False,
        disable_job_creation=True, x_disable_stats=True,
    )  # fmt: skip
    run = wandb.init(dir=str(folder), name=name, settings=settings, reinit="create_new", **what)
    run.define_metric(step)
    run.define_metric("*", step_metric=step, step_sync=True)
    return run


def log_rows(run: Any, rows: Rows, step: str = STEP) -> None:
    for at, row in rows:
        run.log({**row, step: at})
