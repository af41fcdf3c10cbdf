from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from probeta.config.trust import resolve, targets
from probeta.errors import ConfigError
from probeta.models.classifier import MLPClassifier


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("torch.optim.SGD", torch.optim.SGD),
        ("torch.optim.sgd.SGD", torch.optim.SGD),
        ("torch.nn.Linear", torch.nn.Linear),
        ("probeta.models.classifier.MLPClassifier", MLPClassifier),
    ],
)
def test_a_trusted_class_is_found_by_any_of_its_paths(path: str, found: type) -> None:
    assert resolve(path) is found


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
    with pytest.raises(ConfigError):
        resolve(path)


def test_a_user_s_own_class_is_built_when_they_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mypkg_for_trust.py").write_text("ran = True\nclass Model: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"trust=\[mypkg_for_trust\]"):
        resolve("mypkg_for_trust.Model")
    assert "mypkg_for_trust" not in sys.modules, "an untrusted module must not even be imported"
    assert resolve("mypkg_for_trust.Model", ["mypkg_for_trust"]).__name__ == "Model"


def test_targets_are_found_at_any_depth() -> None:
    tree = {"a": [{"_target_": "x"}], "b": {"_target_": "y", "c": {"d": {"_target_": "z"}}}}
    assert [(path, node["_target_"]) for path, node in targets(tree)] == [("a[0]", "x"), ("b", "y"), ("b.c.d", "z")]


def test_a_package_that_python_does_not_find_is_told_how_it_is_found() -> None:
    with pytest.raises(ConfigError, match=r"finds no nowhere_at_all; install it, or start with PYTHONPATH"):
        resolve("nowhere_at_all.models.Mine", ("nowhere_at_all",))
