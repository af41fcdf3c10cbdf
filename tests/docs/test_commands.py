"""Every command, call and key that the documentation shows is accepted: composed and checked as it stands, not run."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import HydraException

import probeta
from docs.options import GROUPS
from docs.schema import read_places
from probeta.api.isolation import restore_process
from probeta.cli import COMMANDS
from probeta.commands import align, translate
from probeta.commands.export import VIEWERS
from probeta.errors import RunDirectoryError, UserError

ROOT = Path(__file__).parents[2]
GENERATED = ("lessons", "keys", "commands.md")
PAGES = [ROOT / name for name in ("README.md", "README.es.md", "CONTRIBUTING.md")]
PAGES += [page for page in sorted((ROOT / "docs").rglob("*.md")) if not set(GENERATED) & set(page.parts)]
LESSONS = sorted((ROOT / "lessons" / "en").glob("*.py"))

RETURNED = {"train": probeta.Run, "probe": probeta.Run, "load_run": probeta.Run, "resume": probeta.Run}
RETURNED |= dict.fromkeys(("sweep", "study", "exercise", "Sweep"), probeta.Sweep)
"""Call → what it returns."""

SETTINGS = {"run", "x", "to", "metric", "lang", "figures", *translate.ACCEPTED, *align.ACCEPTED}
SETTINGS |= {key for keys in VIEWERS.values() for key in keys}
"""Arguments of commands that read a finished run or a sweep."""

READING = ("evaluate", "predict", "translate", "align", "report", "export")

MISTAKES = {"optimizer.lrr"}
"""What pages show as refused."""

OWN = {
    "mypackage/rings.py": """
from probeta.data.moons import MoonsData

class Rings(MoonsData):
    def __init__(self, n_samples: int) -> None:
        super().__init__(n_samples)
""",
    "mypackage/models.py": """
from probeta.models.classifier import MLPClassifier

class Mine(MLPClassifier):
    def __init__(self, spec, width: int) -> None:
        super().__init__(spec, width=width)
""",
    "drinks.csv": "id,name,width,drink\n" + "".join(f"{i},n{i},{i % 7},{'ab'[i % 2]}\n" for i in range(20)),
}
"""What pages speak of as the reader's own; the YAML files are those that they show."""

ACCEPTED: set[tuple[str, ...]] = set()
"""Commands and calls that were: pages in two languages show the same."""


class Composed(BaseException):
    """All was accepted, and nothing has run."""


def code_blocks(text: str, *languages: str) -> Iterator[str]:
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield block


def inline_code(text: str) -> list[str]:
    prose = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def commands(text: str) -> list[list[str]]:
    """The commands of the shell blocks and of the prose, as words; what holds an … is no whole command."""
    lines = [line for block in code_blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += inline_code(text)
    typed = [re.sub(r"^(\.venv/bin/)?(?=probeta )", "", line.strip()) for line in lines]
    kept = [line for line in typed if re.match(r"(probeta|make) \S", line) and "…" not in line and "NAME" not in line]
    return [shlex.split(line, comments=True) for line in kept]


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a run or a sweep would begin, `Composed` is raised; what pages take for granted is there."""
    from probeta.composition import app
    from probeta.sweeps.search import Trials
    from probeta.sweeps.session import Session

    def stop(*_: Any, **__: Any) -> None:
        raise Composed

    every = Session.compose
    # Of thousands of jobs some, the first and the last of which are at the ends of every axis.
    monkeypatch.setattr(Session, "compose", lambda self, jobs: every(self, [*jobs[:: len(jobs) // 32 + 1], *jobs[-1:]]))
    for owner, name in ((app, "prepare_directory"), (Session, "carry_out"), (Trials, "run")):
        monkeypatch.setattr(owner, name, stop)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "DIR"
    folder.mkdir()
    for split in ("train", "val", "test"):
        for language in ("en", "de"):
            (folder / f"{split}.{language}").write_text("a b\n")
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(ROOT / "examples" / "own_package", tmp_path, dirs_exist_ok=True)
    for name, text in OWN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for page in PAGES:
        for block in code_blocks(page.read_text(), "yaml"):
            if name := re.search(r"^# (my/\S+)$", block, re.MULTILINE):
                (tmp_path / name[1]).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name[1]).write_text(block)


def compose(words: list[str]) -> None:
    """Raises what refuses the command."""
    command, *rest = words
    if not rest:
        assert command in COMMANDS
        return
    module = importlib.import_module(f"probeta.{COMMANDS[command][1]}")
    reads = command in READING or any(w.startswith(("resume=", "extend=", "run=")) for w in rest)
    try:
        with restore_process():
            module.main(rest)
        assert command in ("list", "keys") or set(rest) & {"--help", "--cfg"}, "it ran"
    except Composed:
        assert not reads
    except RunDirectoryError:
        assert reads, "of what is read nothing is there"


def check_make(words: list[str]) -> None:
    text = (ROOT / "Makefile").read_text()
    for word in words:
        name, equals, _ = word.partition("=")
        assert re.search(rf"\$\({name}\)" if equals else rf"(?m)^{name}:", text), word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
@pytest.mark.usefixtures("stopped")
def test_the_commands_of_a_page_are_accepted(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for program, *words in commands(page.read_text()):
        if (program, *words) in ACCEPTED:
            continue
        try:
            check_make(words) if program == "make" else compose(words)
        except (UserError, AssertionError) as error:
            raise AssertionError(f"{program} {shlex.join(words)}: {error}") from error
        ACCEPTED.add((program, *words))


@cache
def known_keys() -> set[str]:
    from probeta.composition.app import get_args_parser

    options = {option for action in get_args_parser()._actions for option in action.option_strings}
    places = {
        f"{place}.{name}".lstrip(".")
        for place, kinds in read_places().known.items()
        for k in kinds.values()
        for name in k
    }
    return places | options | {*GROUPS, "experiment", "study"} | SETTINGS | MISTAKES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_keys_of_a_page_s_prose_exist(page: Path) -> None:
    spans = [span.split() for span in inline_code(page.read_text()) if re.match(r"[\w./+]+=\S", span)]
    set_ones = [word for words in spans for word in words if re.search("=(?!True|False)", word)]  # those are Python's
    keys = [word.partition("=")[0].lstrip("+") for word in set_ones]
    wrong = [k for k in keys if not (k in known_keys() or k.isupper() or k.startswith(("hydra.", "hydra/")))]
    assert wrong == []


def find_calls(source: str) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
    """`probeta.NAME(…)` with its overrides, and those keywords that are plain values."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("probeta."):
            words = [ast.literal_eval(a) for a in node.args if isinstance(a, ast.Constant)]
            words += ["run=DIR" for a in node.args if ast.unparse(a).startswith("f'run={")]
            given = {str(k.arg): eval(ast.unparse(k.value)) if is_plain(k.value) else ... for k in node.keywords}
            yield ast.unparse(node.func).removeprefix("probeta."), words, given


def is_plain(node: ast.expr) -> bool:
    return all(not isinstance(part, ast.Name) or part.id == "range" for part in ast.walk(node))


def check_calls(source: str) -> None:
    """Calls are accepted, and what is read of their results is there."""
    for name, words, given in find_calls(source):
        assert name in probeta.__all__, name
        function = getattr(probeta, name)
        inspect.signature(function).bind_partial(*words, **given)
        call = (name, *words, str(given))
        if name in ("resume", "load_run", "load_sweep", "Sweep") or ... in given.values() or call in ACCEPTED:
            continue
        with pytest.raises(RunDirectoryError if {"run=DIR", "extend=DIR"} & set(words) else Composed):
            function(*words, **given)
        ACCEPTED.add(call)
    kinds = {
        str(target.id): RETURNED[name]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name) and (name := ast.unparse(node.value.func).removeprefix("probeta.")) in RETURNED
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in kinds:
            assert hasattr(kinds[node.value.id], node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
@pytest.mark.usefixtures("stopped")
def test_the_calls_of_a_page_are_accepted(page: Path) -> None:
    check_calls("\n".join(code_blocks(page.read_text(), "python")))


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
@pytest.mark.usefixtures("stopped")
def test_the_calls_of_a_lesson_are_accepted(lesson: Path) -> None:
    check_calls(lesson.read_text())


@pytest.mark.parametrize(
    "words",
    [
        ["train", "experiment=moons_mlp", "optimizer.lrr=0.1"],
        ["train", "-m", "experiment=moons_mlp", "model.width=8,0"],
        ["train", "study=regularisation"],
        ["train", "study=regularization", "study.seed=range(3)"],
        ["probe", "probe=depth", "probe.width=-1"],
        ["evaluate", "runs=outputs/train/DIR"],
        ["exercise", "99"],
    ],
    ids=shlex.join,
)
@pytest.mark.usefixtures("stopped")
def test_a_mistake_is_found(words: list[str]) -> None:
    with pytest.raises((UserError, HydraException)) as refused:
        compose(words)
    assert not isinstance(refused.value, RunDirectoryError)


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    "source", ['probeta.train("optimizer.lrr=1")', 'run = probeta.train("data=moons")\nrun.scores', "probeta.sweeps()"]
)
def test_a_mistake_in_a_call_is_found(source: str) -> None:
    with pytest.raises((UserError, AssertionError, AttributeError)):
        check_calls(source)
