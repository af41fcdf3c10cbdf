from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
import setuptools

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirement_names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in requirements}


def test_what_the_source_imports_is_a_dependency_by_name() -> None:
    """What comes along with another package today may not tomorrow."""
    imported: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    imported -= {*sys.stdlib_module_names, "probeta", "hydra_plugins"}
    provided_by = packages_distributions()
    needed = {name: {d.lower().replace("_", "-") for d in provided_by.get(name, [name])} for name in imported}
    optional = chain.from_iterable(PROJECT["optional-dependencies"][extra] for extra in ("ray", "mlflow"))
    named = requirement_names([*PROJECT["dependencies"], *optional])
    assert {"torch", "numpy", "yaml", "ray", "mlflow"} <= imported
    assert {name for name, distributions in needed.items() if not distributions & named} == set()


def test_what_is_installed_is_pinned() -> None:
    """Every dependency, those of extras too, has one version in constraints.txt, and it is an accepted one."""
    from packaging.requirements import Requirement

    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().lower().splitlines())
    extras = PROJECT["optional-dependencies"].values()
    wanted = [Requirement(line) for line in [*PROJECT["dependencies"], *chain.from_iterable(extras)]]
    for requirement in wanted:
        if requirement.name != "probeta":
            assert pins[requirement.name.lower()] in requirement.specifier, requirement


def test_the_version_is_one_everywhere() -> None:
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version


def test_every_package_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    listed: list[str] = []
    monkeypatch.setattr(setuptools, "setup", lambda packages: listed.extend(packages))
    runpy.run_path("setup.py")
    source = ROOT / "src"
    found = [".".join(init.parent.relative_to(source).parts) for init in source.rglob("__init__.py")]
    assert sorted(listed) == sorted([*found, "probeta.conf"])


@pytest.mark.slow
def test_an_installed_wheel_runs_from_any_folder(tmp_path: Path) -> None:
    """The wheel alone in an environment of its own: no source tree, no editable install."""
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("probeta-*.whl")
    # What probeta depends on comes from this environment by path; probeta itself only from the wheel.
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    here = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    import torch

    dependencies = Path(torch.__file__).parents[1]
    # A path file, read after the environment's own packages; it holds no finder of the editable install.
    (Path(here.stdout.strip()) / "dependencies.pth").write_text(f"{dependencies}\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = subprocess.run(
        [python, "-c", "import probeta, probeta.conf; print(probeta.__file__, probeta.conf.__file__)"],
        cwd=elsewhere, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(str(tmp_path) in path for path in where.stdout.split())
    command = [tmp_path / "venv" / "bin" / "probeta", "train", "experiment=moons_mlp", "trainer.max_epochs=2"]
    subprocess.run([*command, "hydra.run.dir=run"], cwd=elsewhere, check=True, capture_output=True)
    assert json.loads((elsewhere / "run" / "result.json").read_text())["status"] == "completed"
    subprocess.run([*command, "-m", "seed=1,2", "name=two"], cwd=elsewhere, check=True, capture_output=True)
    assert (elsewhere / "outputs" / "two" / "summary.csv").is_file()


def test_what_there_is_can_be_completed() -> None:
    import probeta

    assert {"load_run", "load_sweep"} <= set(dir(probeta))


def test_every_module_imports_where_signals_and_flags_are_missing(tmp_path: Path) -> None:
    """As on Windows, which has no SIGHUP, SIGUSR1 and SIGKILL, and no fork: nothing is asked for at import."""
    code = (
        "import importlib, os, pkgutil, signal\n"
        "import torch, pytorch_lightning, hydra, joblib, optuna, spacy, tensorboard\n"
        "for name in ('SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGKILL'): delattr(signal, name)\n"
        "for name in ('O_CLOEXEC', 'O_NOFOLLOW', 'fork'): delattr(os, name)\n"
        "import probeta\n"
        "names = [module.name for module in pkgutil.walk_packages(probeta.__path__, 'probeta.')]\n"
        "names.remove('probeta.__main__')\n"
        "for name in names: importlib.import_module(name)\n"
        "from pathlib import Path\n"
        "from probeta.runs.atomic import append, write_atomic\n"
        "from probeta.runs.signals import Signals\n"
        "with Signals() as signals: write_atomic(Path('written'), 'a'); append(Path('written'), 'b')\n"
        "print(len(names), Path('written').read_text())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, written = done.stdout.split()
    assert int(count) > 200
    assert written == "ab"
