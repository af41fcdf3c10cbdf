"""The HPARAMS tab ticks what differs between runs."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context

from probeta.loggers.tensorboard import TensorBoard
from probeta.loggers.tensorboard_events import make_events, write_events


def differing(folder: Path) -> dict[str, bool]:
    """Column → whether TensorBoard takes it to differ between the runs in `folder`: those come first, and ticked."""
    events = EventMultiplexer().AddRunsFromDirectory(str(folder))
    events.Reload()
    context = Context(TBContext(multiplexer=events, data_provider=MultiplexerDataProvider(events, str(folder))))
    request = RequestContext()
    content = context.hparams_metadata(request, "")
    given = context.hparams_from_data_provider(request, "", limit=100)
    found = context.experiment_from_metadata(request, "", False, content, given)
    return {info.name: info.differs for info in found.hparam_infos}


def test_settings_that_differ_between_runs_are_told_from_those_that_do_not(tmp_path: Path) -> None:
    for i, rate in enumerate((0.1, 0.2)):
        settings = {"model.width": 8.0, "optimizer.lr": rate}
        logger = TensorBoard(tmp_path / "basic" / str(i))
        logger.log_final(settings, {"test/acc": 0.5, "epochs": 3.0})
        logger.close()
        place = tmp_path / "vectorized" / str(i)
        place.mkdir(parents=True)
        write_events([(place, make_events([], settings, {"test/acc": 0.5, "epochs": 3.0}))])
    for launcher in ("basic", "vectorized"):
        assert differing(tmp_path / launcher) == {"optimizer.lr": True, "model.width": False}, launcher
