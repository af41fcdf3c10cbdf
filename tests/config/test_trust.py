from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import torch

from probeta.config.trust import PLACES, adopt, relocate, resolve, targets
from probeta.errors import ConfigError
from probeta.models.classifier import MLPClassifier


@pytest.mark.parametrize(
    ("path", "place", "found"),
    [
        ("torch.optim.SGD", "optimizer", torch.optim.SGD),
        ("torch.optim.sgd.SGD", "optimizer", torch.optim.SGD),
        ("torch.nn.Linear", "model.layer", torch.nn.Linear),
        ("probeta.models.classifier.MLPClassifier", "model", MLPClassifier),
    ],
)
def test_a_trusted_class_is_found_by_any_of_its_paths(path: str, place: str, found: type) -> None:
    assert resolve(path, place) is found


def test_a_class_at_another_s_place_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\._target_=torch\.nn\.Linear"):
        resolve("torch.nn.Linear", "optimizer")
    with pytest.raises(ConfigError, match="takes a Module"):
        resolve("probeta.models.decoding.Decoding", "model")


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "torch.nn.modules.module.torch.hub.load",
        "torch.hub.load",
        "torch.load",
        "pytorch_lightning.callbacks.model_checkpoint.shutil.os.makedirs",
        "probeta.data.moons.np.save",
        "probeta.data.moons.make_moons",
        "probeta.runs.atomic.write_atomic",
        "probeta.models.module.dist.init_process_group",
        "torch.optim",
    ],
)
def test_what_merely_begins_like_ours_is_not_built(path: str) -> None:
    for place in ("model", "data", "callbacks.x", "logger.x", "optimizer", "scheduler", "trainer", "model.activation"):
        with pytest.raises(ConfigError):
            resolve(path, place)


def test_a_user_s_own_class_is_built_when_they_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mypkg_for_trust.py").write_text("ran = True\nclass Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"trust=\[mypkg_for_trust\]"):
        resolve("mypkg_for_trust.Model", "model")
    assert "mypkg_for_trust" not in sys.modules, "an untrusted module must not even be imported"
    assert resolve("mypkg_for_trust.Model", "model", ["mypkg_for_trust"]).__name__ == "Model"


def test_targets_are_found_at_any_depth() -> None:
    tree = {"a": [{"_target_": "x"}], "b": {"_target_": "y", "c": {"d": {"_target_": "z"}}}}
    assert [(path, node["_target_"]) for path, node in targets(tree)] == [("a[0]", "x"), ("b", "y"), ("b.c.d", "z")]


def test_a_package_that_python_does_not_find_is_told_how_it_is_found() -> None:
    with pytest.raises(ConfigError, match=r"finds no nowhere_at_all; install it, or start with PYTHONPATH"):
        resolve("nowhere_at_all.models.Mine", "model", ["nowhere_at_all"])


ASKS = re.compile(r"path|file|dir|command|cmd|func|fn$|url|uri|host|hook|lambda|import", re.I)
"""Names of arguments that hand over something to call, to open, to write or to connect to."""

HARMLESS = {
    "probeta.data.given.GivenPoints": "`file` is one that probeta kept, by its name",
    "probeta.data.given.GivenPairs": "`file` is one that probeta kept, by its name",
    "probeta.data.table.TableData": "`path` is read as a table, as `data.root` is as text",
    "probeta.probes.attention.AttentionProbe": "`path_steps` is a number",
    "probeta.loggers.csv.MetricsCSV": "the run supplies `directory`, which no configuration may state",
    "probeta.loggers.mlflow.MLflow": "`adopt` refuses one that states a `tracking_uri`",
    "probeta.loggers.wandb.Wandb": "the run supplies `directory`; `adopt` refuses one that is not `offline`",
    "probeta.loggers.viewer.Viewer": "the run supplies `directory`; an abstract class",
    "probeta.loggers.tensorboard.TensorBoard": "the run supplies `directory`, which no configuration may state",
    "probeta.nn.encoder.Bridge": "`directions` is a number",
    "probeta.nn.encoder.Encoder": "`bidirectional` is a switch",
    "probeta.nn.rnn.Recurrent": "`bidirectional` is a switch",
    "probeta.models.seq2seq.RecurrentTranslator": "its parts are nodes, listed as modules of nets",
    "probeta.nn.seq2seq.Seq2Seq": "its parts are nodes, listed as modules of nets",
    "probeta.probes.gradcheck.GradcheckProbe": "`function` is the name of one of its own",
    "pytorch_lightning.trainer.trainer.Trainer": "`default_root_dir` is set by the run; evaluate builds only `NUMERIC`",
    "torch.nn.modules.loss.TripletMarginWithDistanceLoss": "what is called is a node: a module of a net",
    "torch.nn.modules.rnn.RNNBase": "`bidirectional` is a switch",
    "torch.nn.modules.transformer.Transformer": "what is called is a node: a module of a net",
    "torch.nn.modules.transformer.TransformerDecoderLayer": "what is called is a node: a module of a net",
    "torch.nn.modules.transformer.TransformerEncoderLayer": "what is called is a node: a module of a net",
    "torch.optim.Muon": "`adjust_lr_fn` is the name of one of its own",
    "torch.optim.lbfgs.LBFGS": "`line_search_fn` is the name of one of its own",
    "probeta.models.schedules.Schedule": "what is called is a node: a module of a net",
    "torch.optim.lr_scheduler.LambdaLR": "what is called is a node: a module of a net",
    "torch.optim.lr_scheduler.MultiplicativeLR": "what is called is a node: a module of a net",
    "torch.optim.lr_scheduler.CyclicLR": "what is called is a node: a module of a net",
}
"""Classes that ask for such a thing, may be built from a directory all the same, and why that is harmless."""


def modules(roots: Sequence[str]) -> Iterator[ModuleType]:
    for root in roots:
        module = importlib.import_module(root)
        yield module
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{root}."):
            with contextlib.suppress(ImportError):
                yield importlib.import_module(found.name)


def reachable() -> tuple[dict[type, set[str]], int]:
    """Every class that some place of a configuration takes with no trust, and how many callables are refused."""
    accepted: dict[type, set[str]] = {}
    refused = 0
    for pattern, _, listed in PLACES:
        place = pattern.replace("*", "x")
        for module in modules(listed):
            for name, value in vars(module).items():
                if callable(value):
                    try:
                        accepted.setdefault(cast(type, resolve(f"{module.__name__}.{name}", place)), set()).add(place)
                    except ConfigError:
                        refused += 1
    return accepted, refused


def test_everything_that_can_be_built_from_a_directory_is_harmless() -> None:
    """The gadgets: callables under the allowed roots that call, import, open, write or connect as they are told."""
    accepted, refused = reachable()
    assert len(accepted) > 100
    assert refused > 1000, "functions, methods and classes of another kind"
    unexplained = []
    for found, places in accepted.items():
        assert isinstance(found, type)
        name = f"{found.__module__}.{found.__qualname__}"
        with contextlib.suppress(ValueError):
            asked = inspect.signature(found).parameters.values()
            asks = [p for p in asked if ASKS.search(p.name) or "Callable" in str(p.annotation)]
            if asks and name not in HARMLESS:
                unexplained.append((name, next(iter(places))))
    assert len(unexplained) > 5
    for name, place in unexplained:
        tree: dict[str, Any] = {}
        node = tree
        for key in place.split("."):
            node = node.setdefault(key, {})
        node["_target_"] = name
        with pytest.raises(ConfigError, match="is not built from a directory's configuration"):
            adopt(tree, [])


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("probeta.sweeps.launchers.GuardedTask", "model.activation"),
        ("probeta.sweeps.launchers.GuardedTask.__call__", "model.activation"),
        ("probeta.models.weights.load_archive", "model.activation"),
        ("probeta.models.module.Module.load_from_checkpoint", "model"),
        ("torch.nn.modules.module.Module.apply", "model.activation"),
        ("pytorch_lightning.Trainer.fit", "trainer"),
        ("pytorch_lightning.loggers.csv_logs.CSVLogger", "trainer.logger"),
        ("pytorch_lightning.profilers.PyTorchProfiler", "trainer.profiler"),
        ("torch.utils.collect_env.run", "model.activation"),
        ("torch.optim.lr_scheduler.partial", "scheduler"),
        (["os.system"], "model"),
        ("", "model"),
    ],
)
def test_gadgets_are_refused(target: Any, place: str) -> None:
    with pytest.raises(ConfigError):
        resolve(target, place)


def test_whom_a_directory_trusts_and_where_it_writes_is_not_obeyed() -> None:
    data = {"_target_": "probeta.data.parallel_text.ParallelTextData", "root": "here", "cache": "/elsewhere"}
    adopted = adopt({"trust": ["os"], "data": data}, ["mine"])
    assert adopted["trust"] == ["mine"]
    assert adopted["data"] == {"_target_": data["_target_"], "root": "here"}


def test_a_directory_s_record_of_its_data_says_where_they_lie_and_nothing_else() -> None:
    data = {"_target_": "probeta.data.parallel_text.ParallelTextData", "root": "here"}
    places = {"root": "/there", "cache": "/elsewhere", "_target_": "os.system", "tokens": "spacy"}
    assert relocate({"data": data}, places) == {"data": {**data, "root": "/there"}}
